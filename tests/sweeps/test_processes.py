"""Real processes that are killed, interrupted, short of room, or at work on one store together."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray
from programs import output

from rnn_dynamics.sweeps import open_dataset, store

HELPERS = Path(__file__).parent.parent / "helpers"
CHUNKS = 40

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start the script on a store by an engine; what still runs at the end is killed."""
    environment = os.environ | {
        "PYTHONPATH": str(HELPERS),
        "COUNTED": str(tmp_path / "counted"),
        "PAUSE": "0.03",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
    }
    started = []

    def run(*words, **more):
        command = [sys.executable, str(HELPERS / "sweep_script.py"), *map(str, words)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        started.append(subprocess.Popen(command, env=environment | more, **streams))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def expected(tmp_path, start):
    """What an uninterrupted sweep in one process gives."""
    ended(start(tmp_path / "whole", "here", PAUSE="0"))
    return open_dataset(tmp_path / "whole").load()


def ended(process, code=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out + err


def records(address):
    try:
        opened = store.open_store(address, mode="r")
    except FileNotFoundError:
        return {}
    found = {}
    for number in range(CHUNKS):
        text = str(opened.records[number])
        if text:
            found[number] = text
    return found


def wait_for(address, more_than, process):
    """Until there are more records than that, or the process has ended."""
    while process.poll() is None and not (address.exists() and len(records(address)) > more_than):
        time.sleep(0.02)


def complete(address, expected):
    xarray.testing.assert_identical(open_dataset(address).load().drop_attrs(), expected.drop_attrs())


def computed(tmp_path):
    """How many points have been computed; a point that was being computed when killed counts."""
    return (tmp_path / "counted").stat().st_size


def test_killed_ten_times_and_resumed(tmp_path, start, expected):
    address, before, rng = tmp_path / "s", {}, random.Random(5)
    counted = computed(tmp_path)
    for kill in range(10):
        process = start(address, "here")
        wait_for(address, len(before), process)
        time.sleep(rng.uniform(0, 0.12) if kill % 3 else rng.uniform(0, 0.01))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        after = records(address)
        assert before.items() <= after.items()  # what was finished was not computed again
        before = after
    assert 10 <= len(before) < CHUNKS
    ended(start(address, "here"))
    assert before.items() <= records(address).items()
    assert CHUNKS <= computed(tmp_path) - counted <= CHUNKS + 10
    complete(address, expected)


def test_interrupted_within_a_chunk(tmp_path, start, expected):
    address = tmp_path / "s"
    process = start(address, "here", PAUSE="0.5")
    wait_for(address, 1, process)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    text = process.communicate(timeout=30)[1]
    assert time.monotonic() - begun < 10  # of the 20 that are left
    assert "Ctrl-C: stopping after the running chunk" in text
    assert "KeyboardInterrupt" in text
    assert "finished chunks are kept" in text
    before = records(address)
    ended(start(address, "here", PAUSE="0"))
    assert before.items() <= records(address).items()
    complete(address, expected)


def test_a_pool_and_the_death_of_one_of_its_workers(tmp_path, start, expected):
    address = tmp_path / "s"
    process = start(address, "processes")
    workers = process.stdout.readline().split()[1:]
    wait_for(address, 3, process)
    os.kill(int(workers[0]), signal.SIGKILL)
    assert "executor: one of its workers died" in ended(process, 1)
    before = records(address)
    assert "finished 40" in ended(start(address, "processes"))
    assert before.items() <= records(address).items()
    complete(address, expected)


def test_dask_goes_on_when_a_worker_is_killed(tmp_path, start, expected):
    pytest.importorskip("distributed")
    address = tmp_path / "s"
    process = start(address, "dask", PAUSE="0.1")
    workers = process.stdout.readline().split()[1:]
    wait_for(address, 3, process)
    before = records(address)
    os.kill(int(workers[0]), signal.SIGKILL)
    assert "finished 40" in ended(process)
    assert before.items() <= records(address).items()
    complete(address, expected)


def test_jobs_of_submitit(tmp_path, start, expected):
    pytest.importorskip("submitit")
    assert "finished 40" in ended(start(tmp_path / "s", "submitit", tmp_path / "jobs"))
    complete(tmp_path / "s", expected)


def test_two_processes_of_jax_distributed_finish_one_store(tmp_path, start, expected):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    before = computed(tmp_path)
    both = [start(tmp_path / "s", "distributed", address, number) for number in range(2)]
    for number, process in enumerate(both):
        text = ended(process)
        assert "finished 40" in text
        assert f"process {number}" in text
    assert computed(tmp_path) - before == CHUNKS
    complete(tmp_path / "s", expected)


def test_two_processes_that_do_not_know_of_each_other(tmp_path, start, expected):
    before = computed(tmp_path)
    both = [start(tmp_path / "s", "here") for _ in range(2)]
    for process in both:
        assert "finished 40" in ended(process)
    assert computed(tmp_path) - before <= CHUNKS + 15  # both may begin the same chunk, most likely the last ones
    complete(tmp_path / "s", expected)


def mounted(folder, options):
    """A small file system in memory, if this user may have one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")


def test_a_full_disk(tmp_path, start, expected):
    room = tmp_path / "room"
    mounted(room, "size=1200k")
    try:
        assert "No space left on device. What was finished before is valid" in ended(start(room / "s", "here"), 1)
        before = records(room / "s")
        assert 0 < len(before) < CHUNKS
        assert (open_dataset(room / "s").status == 1).sum() >= len(before)
        subprocess.run(["mount", "-o", "remount,size=20m", str(room)], check=True)
        ended(start(room / "s", "here"))
        assert before.items() <= records(room / "s").items()
        complete(room / "s", expected)
    finally:
        subprocess.run(["umount", str(room)], check=True)


def test_a_read_only_folder(tmp_path, start):
    room = tmp_path / "room"
    mounted(room, "size=1m,ro")
    try:
        assert f"store: cannot write to {room}/s: it is read-only" in ended(start(room / "s", "here"), 1)
    finally:
        subprocess.run(["umount", str(room)], check=True)


def test_what_a_worker_cannot_import_is_refused(tmp_path):
    text = output("not_importable.py")
    assert text.count("which a worker cannot import; define it with `def` at the top level of a file") == 2
