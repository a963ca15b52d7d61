"""Stores with absurd claims, pipes, links and terminal escapes: one clear line, at once, whatever the command."""

import json
import math
import os
import re
import resource
import shutil
import signal
import time
from pathlib import Path

import matplotlib as mpl
import numcodecs
import pytest
import xarray
import zarr
from store_damage import claim, claim_grid, edit, flip, forget_copy, reseal
from sweep_measures import quick_lyapunov

import rnn_dynamics as rd
from rnn_dynamics import command_line
from rnn_dynamics.sweeps import executors, open_dataset
from rnn_dynamics.sweeps.log import log
from rnn_dynamics.sweeps.plain_files import unpacked_size
from rnn_dynamics.sweeps.terminal_text import printable

mpl.use("Agg")

# seconds of work that a command may take, and those on the clock, where other processes take their share
WORK, PATIENCE = 10, 60
BILLION = 10**9


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(executors, "one_device_per_core", lambda workers=1: 1)
    monkeypatch.setitem(command_line.MEASUREMENTS, "lyapunov", quick_lyapunov)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished store of eight chunks."""
    place = tmp_path_factory.mktemp("whole") / "s"
    with pytest.MonkeyPatch.context() as context:
        context.setattr(executors, "one_device_per_core", lambda workers=1: 1)
        context.setitem(command_line.MEASUREMENTS, "lyapunov", quick_lyapunov)
        words = "sweep --widths 2 3 --gains 0.5 1.5 --seeds 2 --length 8 --chunk 1 --quiet --store"
        assert command_line.main([*words.split(), str(place)]) == 0
    return place


@pytest.fixture
def store(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "s")


def said(capsys, words):
    """What a command writes, and its exit code; it is stopped if it hangs."""

    def stop(number, frame):
        raise AssertionError(f"{words} took more than {PATIENCE} s")

    before, begun = signal.signal(signal.SIGALRM, stop), time.process_time()
    signal.alarm(PATIENCE)
    try:
        code = command_line.main([*map(str, words)])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert time.process_time() - begun < WORK
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def commands(store):
    return [("show", store), ("export", store, store.with_name("s.nc")), ("resume", store, "--quiet")]


def refused(capsys, store, message):
    """Each command says in one line what is wrong."""
    for words in commands(store):
        code, _, text = said(capsys, words)
        assert code == 2, words
        assert text.count("\n") == 1, text
        assert re.search(message, text), text


EDITS = {
    "status of 10^12 points": (
        lambda attributes, arrays: claim(arrays, "status", [1, 2, 1, 1, 10**6, 10**6]),
        "status: its shape over the grid is",
    ),
    "a setting is missing": (
        lambda attributes, arrays: attributes.pop("jax_enable_x64"),
        "jax_enable_x64 is missing and was True",
    ),
    "another key": (lambda attributes, arrays: attributes.update(key=[0, 7]), r"key is \[0, 7\] and was \[0, 0\]"),
    "another window": (
        lambda attributes, arrays: attributes.update(window_shape=[1, 2, 1, 1, 1, 1]),
        "window_shape is .* and was",
    ),
    "a record of 10^6 entries": (
        lambda attributes, arrays: claim(arrays, "progress/record", [10**6]),
        r"progress/record: text\[None=1000000\] in chunks \(1,\)'; expected 'progress/record: text\[None=8\]",
    ),
    "an output of 10^9 numbers a point": (
        lambda attributes, arrays: claim(arrays, "exponents", [1, 2, 1, 1, 2, 2, BILLION]),
        "exponents: its chunks",
    ),
    "an axis of 10^9 values": (
        lambda attributes, arrays: claim(arrays, "gain", [BILLION]),
        r"gain: float64\[gain=1000000000\]'; expected 'gain: float64\[gain=2\]",
    ),
    "an axis of another type": (
        lambda attributes, arrays: arrays["gain"].update(data_type="float32"),
        r"gain: float32\[gain=2\]'; expected 'gain: float64",
    ),
    "another dimension": (
        lambda attributes, arrays: arrays["exponents"]["dimension_names"].__setitem__(6, "unit"),
        r"exponents: float64\[unit=3\]'; expected 'exponents: float64\[index=3\]",
    ),
    "tiny chunks": (
        lambda attributes, arrays: claim(arrays, "exponents", [1, 2, 1, 1, 2, 2, 3], [1] * 7),
        "exponents: its chunks is",
    ),
    "copies in one chunk of 10^9": (
        lambda attributes, arrays: claim(arrays, "progress/coordinates", [8], [BILLION]),
        "progress/coordinates: text.* in chunks .1000000000,.'; expected",
    ),
    "texts of 10^9 letters": (
        lambda attributes, arrays: arrays["cell"].update(
            data_type={"name": "fixed_length_utf32", "configuration": {"length_bytes": 4 * 10**8}}, fill_value=""
        ),
        "the coordinate is 'cell: str.*'; expected 'cell: text",
    ),
    "another fill value": (
        lambda attributes, arrays: arrays["status"].update(fill_value=1),
        "status: its fill value is '1'; expected '0'",
    ),
    "an array is missing": (lambda attributes, arrays: arrays.pop("status"), "cannot read .*KeyError"),
    "an older format": (
        lambda attributes, arrays: attributes.update(format=1),
        "has format 1, expected 2; another version of rnn_dynamics wrote it",
    ),
}


@pytest.mark.parametrize("change", EDITS)
def test_an_edited_store_is_refused(store, capsys, change):
    function, message = EDITS[change]
    edit(store, function)
    refused(capsys, store, message)


RESEALED = {
    "an attribute of another type": (lambda attributes, arrays: attributes.update(grid_shape="many"), "cannot read"),
    "windows of 10^9 points": (
        lambda attributes, arrays: attributes.update(window_shape=[1, 1, 1, 1, BILLION, 1]),
        "has windows .* in chunks .* which do not fit its grid",
    ),
    "an axis of 10^9 values": (
        lambda attributes, arrays: claim_grid(attributes, arrays, "gain", BILLION, 10**4),
        "grid: has 4000000000 points|gain: has 1000000000 numbers; expected at most",
    ),
    "4 * 10^8 chunks": (
        lambda attributes, arrays: claim_grid(attributes, arrays, "gain", 10**8, 1),
        "is cut into 400000000 chunks of 1 points; expected at most 999999",
    ),
    "10^12 points": (
        lambda attributes, arrays: claim_grid(attributes, arrays, "repeat", 10**12, 10**9),
        "grid: has 4000000000000 points; expected at most",
    ),
}


@pytest.mark.parametrize("change", RESEALED)
def test_whoever_knows_the_format_is_refused_too(store, capsys, change):
    function, message = RESEALED[change]
    reseal(store, function)
    refused(capsys, store, message)


@pytest.mark.parametrize(
    ("axis", "harm"), [("gain", Path.unlink), ("hidden", flip), ("cell", flip), ("repeat", Path.unlink)]
)
def test_a_lost_axis_is_restored_before_a_point_is_computed(store, whole, capsys, caplog, axis, harm):
    harm(store / axis / "c" / "0")
    for number in (1, 6):
        (store / "progress" / "record" / "c" / str(number)).unlink()
    assert said(capsys, ("show", store))[0] == 0
    assert f"the values of {axis} were lost or changed; restored from its copy for this dataset" in caplog.text
    assert said(capsys, ("resume", store, "--quiet"))[0] == 0
    assert f"the values of {axis} were lost or changed; restored\n" in caplog.text
    xarray.testing.assert_identical(
        xarray.open_zarr(store).load(), open_dataset(whole).load().assign_attrs(wall(store))
    )


def wall(store):
    return {"wall_seconds": open_dataset(store).attrs["wall_seconds"]}


def test_an_axis_that_is_lost_for_good_is_named(store, capsys):
    (store / "gain" / "c" / "0").unlink()
    forget_copy(store, "gain")
    refused(capsys, store, "the values of gain in .* were lost or changed, and so was their copy")


def test_another_version_and_another_program_need_consent(store, capsys, caplog):
    reseal(store, lambda attributes, arrays: attributes.update(versions="jax 0.1.0, xarray 1.0"))
    assert said(capsys, ("resume", store, "--quiet"))[0] == 0
    assert f"started with jax 0.1.0, xarray 1.0, continues with rnn_dynamics {rd.__version__}" in caplog.text
    reseal(store, lambda attributes, arrays: attributes.update(program="0"))
    code, _, text = said(capsys, ("resume", store, "--quiet"))
    assert code == 2
    assert text.count("\n") == 1
    assert "was started with jax 0.1.0, xarray 1.0, and this is" in text
    assert "If you changed neither, continue with on_version='accept' (--on-version accept)" in text
    assert said(capsys, ("resume", store, "--quiet", "--on-version", "accept"))[0] == 0
    assert said(capsys, ("resume", store, "--quiet"))[0] == 0  # the store remembers


PARTS = [
    "zarr.json",
    "gain/c/0",
    "progress/record/c/3",
    "progress/coordinates/c/0",
    "exponents/c/0/1/0/0/1/1/0",
    "status/c/0/1/0/0/1/1",
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", ["pipe", "link", "folder of a link"])
def test_what_is_no_plain_file_is_refused(store, tmp_path, capsys, part, kind):
    file = store / part
    if kind == "folder of a link":
        if part == "zarr.json":
            pytest.skip("its folder is the store, which may be a link")
        file.parent.rename(tmp_path / "elsewhere")
        file.parent.symlink_to(tmp_path / "elsewhere")
    elif kind == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    else:
        file.unlink()
        os.mkfifo(file)
    if part == "progress/coordinates/c/0":  # which is read when the values themselves are lost
        (store / "cell" / "c" / "0").unlink()
    try:
        refused(capsys, store, f"store: {tmp_path}/s/.* is neither a folder nor a plain file")
    finally:
        if kind == "pipe":  # lets go whoever waits there, who would keep the tests from ending
            os.close(os.open(file, os.O_RDWR | os.O_NONBLOCK))


def test_a_zarr_store_of_a_folder_is_watched_too(store):
    place = zarr.storage.LocalStore(store)
    open_dataset(place)
    (store / "gain" / "c" / "0").unlink()
    os.mkfifo(store / "gain" / "c" / "0")
    with pytest.raises(ValueError, match="gain/c/0 is neither a folder nor a plain file"):
        open_dataset(place)


def test_a_store_may_be_a_link_itself(store, tmp_path, capsys):
    (tmp_path / "t").symlink_to(store)
    for words in commands(tmp_path / "t"):
        assert said(capsys, words)[0] == 0


def test_a_pipe_in_the_place_of_a_store(tmp_path, capsys):
    os.mkfifo(tmp_path / "s")
    refused(capsys, tmp_path / "s", "which holds something else")


def test_a_huge_metadata_file_is_not_read(store, capsys):
    os.truncate(store / "zarr.json", 2**40)
    refused(capsys, store, r"zarr.json has 1099511627776 bytes; expected at most")


def packed(size):
    """The beginning of a Zstandard frame that says how many bytes it unpacks to."""
    return b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\x01\x00\x00"


@pytest.mark.parametrize("part", PARTS[1:])
def test_a_chunk_that_unpacks_to_gigabytes_is_not_unpacked(store, whole, capsys, caplog, part):
    (store / part).write_bytes(packed(2**33))
    if part == "progress/coordinates/c/0":
        (store / "cell" / "c" / "0").unlink()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    texts = [said(capsys, words)[2] for words in commands(store)]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # in kilobytes
    reason = {"gain/c/0": "gain were lost or changed; restored", PARTS[3]: "cell .* and so was their copy"}
    said_why = reason.get(part, "unpacks to 8589934592 bytes; expected at most")
    assert re.search(said_why, caplog.text + "".join(texts))


PACKED = {
    "by gzip": (
        lambda array: array["codecs"].__setitem__(-1, {"name": "gzip", "configuration": {"level": 5}}),
        r"the list of its codecs is \['bytes', 'gzip'\]; expected \['bytes', 'zstd'\]",
    ),
    "twice": (
        lambda array: array["codecs"].append(array["codecs"][-1]),
        r"the list of its codecs is \['bytes', 'zstd', 'zstd'\]",
    ),
    "under other names": (
        lambda array: array.update(chunk_key_encoding={"name": "v2", "configuration": {"separator": "/"}}),
        "the naming of its chunks is",
    ),
}


@pytest.mark.parametrize("change", PACKED)
def test_an_array_packed_in_another_way_is_refused(store, capsys, change):
    pack, message = PACKED[change]
    reseal(store, lambda attributes, arrays: pack(arrays["exponents"]))
    refused(capsys, store, f"exponents: {message}")


@pytest.mark.parametrize("size", [0, 20, 255, 256, 300, 65_791, 65_792, 10**6])
def test_the_size_of_a_frame(size):
    frame = numcodecs.Zstd().encode(bytes(size))
    assert unpacked_size(frame[:18]) == size


def test_frames_without_a_size_and_other_data():
    assert unpacked_size(b"\x28\xb5\x2f\xfd\x00\x58") == math.inf
    assert unpacked_size(b"\x28\xb5\x2f\xfd\xe0\x01") == math.inf  # cut off
    assert unpacked_size(b"plain") == 0
    assert unpacked_size(packed(2**40)) == 2**40


def test_nothing_is_written_through_a_link(store, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    (store / "progress" / "record" / "c" / "3").unlink()
    shutil.rmtree(store / "exponents" / "c")
    (store / "exponents" / "c").symlink_to(tmp_path / "elsewhere")
    code, _, text = said(capsys, ("resume", store, "--quiet"))
    assert code == 2
    assert "is neither a folder nor a plain file" in text
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_missing_setting_is_named_even_if_the_seal_fits(store, capsys):
    reseal(store, lambda attributes, arrays: attributes.pop("jax_enable_x64"))
    code, _, text = said(capsys, ("resume", store, "--quiet"))
    assert code == 2
    assert re.fullmatch("store: cannot read .*KeyError: 'jax_enable_x64'; expected .*undamaged\n", text)


def test_a_store_larger_than_the_memory_is_summed_up_and_not_loaded(store, capsys, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 16)
    code, text, error = said(capsys, ("show", store))
    assert code == 2
    assert "8 points, 0 raised, 0 with NaN\n" in text
    assert "expected at most the 0.0 GiB of memory here" in error


def test_records_that_make_no_sense_are_computed_again(store, capsys, caplog):
    records = [
        "[]",
        '{"points": 0, "failed": 0, "nan": 0, "session": 0, "finished": 0}',
        "[" * 10**5,
        '{"points": 1e99}',
        '{"points": 1, "failed": "\\u001b[2J", "nan": 0}',
        "\x1b[2J",
        "9" * 10**5,
    ]
    array = zarr.open_group(store, mode="r+")["progress/record"]
    for number, text in enumerate(records):
        array[number] = text
    code, text, _ = said(capsys, ("show", store))
    assert code == 0
    assert "8 points, 0 raised, 0 with NaN, 7 not computed yet\n" in text
    assert said(capsys, ("resume", store, "--quiet"))[0] == 0
    for number in range(len(records)):
        assert f"the record of chunk {number} cannot be read" in caplog.text
    assert "\x1b" not in caplog.text
    assert "8 points, 0 raised, 0 with NaN\n" in said(capsys, ("show", store))[1]


def test_an_array_of_somebody_else_is_left_out(store, whole, capsys, caplog):
    """One that is called as a dimension would be read as soon as the dataset is opened."""

    def add(attributes, arrays):
        for name in ("index", "more"):
            shape = [BILLION] if name == "index" else [1, 2, 1, 1, 2, 2, BILLION]
            arrays[name] = json.loads(json.dumps(arrays["repeat"])) | {"dimension_names": [*"abcdefg"][: len(shape)]}
            claim(arrays, name, shape, [1] * len(shape))

    edit(store, add)
    assert said(capsys, ("show", store))[0] == 0
    assert "index is not part of the sweep and is left out" in caplog.text
    xarray.testing.assert_identical(open_dataset(store).load(), open_dataset(whole).load())
    for words in commands(store):
        assert said(capsys, words)[0] == 0


ESCAPE = "\x1b]0;pwned\x07\x1b[31m\u202e"


def test_no_escape_of_a_store_reaches_the_terminal(store, capsys, caplog):
    edit(store, lambda attributes, arrays: attributes.update(wall_seconds=ESCAPE))
    code, text, _ = said(capsys, ("show", store))
    assert code == 0
    assert r"\x1b]0;pwned\x07\x1b[31m\u202e" in text
    assert "\n  gain " in text  # what prints and the ends of lines are left alone
    edit(store, lambda attributes, arrays: attributes.update({ESCAPE: ESCAPE, "measure_point": ESCAPE}))
    for words in commands(store):
        text += "".join(map(str, said(capsys, words)))
    reseal(store, lambda attributes, arrays: attributes.update({ESCAPE: ESCAPE, "measure_point": ESCAPE}))
    for words in commands(store):
        text += "".join(map(str, said(capsys, words)))
    reseal(store, lambda attributes, arrays: attributes.update({ESCAPE: ESCAPE, "outputs": [f"{ESCAPE}: text[]"]}))
    for words in commands(store):
        text += "".join(map(str, said(capsys, words)))
    assert not set("\x1b\x07\u202e") & set(text + caplog.text)


def test_log_lines_are_printable(caplog):
    log.warning("%s", ESCAPE)
    assert caplog.messages == [r"\x1b]0;pwned\x07\x1b[31m\u202e"]


def test_printable():
    assert printable("a\tb\nc\r\x9b\ud800é∂漢") == "a\\tb\nc\\r\\x9b\\ud800é∂漢"
    assert printable("a\nb", keep="") == r"a\nb"
