"""`python -m rnn_dynamics`: what it sweeps, what it shows, and its exit codes."""

import os
import re
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray
import zarr
from sweep_measures import quick_lyapunov

import rnn_dynamics as rd
from rnn_dynamics import command_line
from rnn_dynamics.measurements import gradient_flow, lyapunov, singular_values
from rnn_dynamics.plot.overview import overview
from rnn_dynamics.sweeps import background_writer, executors, one_device_per_core, open_dataset
from rnn_dynamics.sweeps.in_words import in_words

mpl.use("Agg")

SMALL = ["--widths", "2", "3", "--gains", "0.5", "1.5", "--seeds", "2", "--length", "8", "--quiet"]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """JAX has started here, so that there is no choice of devices any more; and a measurement that compiles quickly."""
    monkeypatch.setattr(executors, "one_device_per_core", lambda workers=1: 1)
    monkeypatch.setitem(command_line.MEASUREMENTS, "lyapunov", quick_lyapunov)


def main(*words):
    return command_line.main([*map(str, words)])


def test_sweep_show_resume_and_export(tmp_path, capsys):
    pytest.importorskip("h5py")
    store = tmp_path / "s.zarr"
    assert main("sweep", *SMALL, "--store", store) == 0
    assert "8 points, 0 raised, 0 with NaN" in capsys.readouterr().out
    found = open_dataset(store)
    assert found.exponents.dims == ("cell", "hidden", "length", "drive", "gain", "repeat", "index")
    np.testing.assert_array_equal(found.index_length.squeeze(), [2, 3])
    assert found.exponents.attrs["units"] == "nats per step"
    assert (found.largest == found.exponents[..., 0]).all()
    for words in (("show", store), ("sweep", "show", store, "--figure", tmp_path / "s.png")):
        assert main(*words) == 0
        shown = capsys.readouterr().out
        assert re.search(r"^  gain +0\.5, 1\.5$", shown, re.M), shown
        assert re.search(r"^  largest +nats per step  ", shown, re.M), shown
    assert (tmp_path / "s.png").stat().st_size > 10_000
    assert main("resume", store, "--quiet") == 0
    assert main("export", store, tmp_path / "s.nc") == 0
    with xarray.open_dataset(tmp_path / "s.nc", engine="h5netcdf") as back:
        np.testing.assert_array_equal(back.largest, found.largest)


def test_a_stopped_sweep_goes_on_without_another_argument(tmp_path, monkeypatch):
    real, calls = background_writer.write, []

    def stopping(*words):
        calls.append(words)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*words)

    monkeypatch.setattr(background_writer, "write", stopping)
    assert main("sweep", *SMALL, "--chunk", "1", "--store", tmp_path / "s", "--drive", "0.5", "--key", "3") == 130
    assert int((open_dataset(tmp_path / "s").status == 1).sum()) == 2
    monkeypatch.setattr(background_writer, "write", real)
    assert main("resume", tmp_path / "s", "--quiet") == 0
    assert main("sweep", *SMALL, "--chunk", "1", "--store", tmp_path / "t", "--drive", "0.5", "--key", "3") == 0
    one, other = (open_dataset(tmp_path / name).load().drop_attrs() for name in "st")
    xarray.testing.assert_identical(one, other)


def test_the_exit_code_tells_of_points_that_raised(tmp_path, monkeypatch, capsys):
    def raising(key, *, cell, hidden, length, gain, drive):
        if hidden == 3:
            raise ValueError("three will not do")
        return {"value": gain}

    monkeypatch.setitem(command_line.MEASUREMENTS, "lyapunov", raising)
    assert main("sweep", *SMALL, "--store", tmp_path / "s") == 3
    assert "8 points, 4 raised, 0 with NaN" in capsys.readouterr().out


def test_what_a_measurement_raises_everywhere_is_one_line(tmp_path, monkeypatch, capsys):
    def raising(key, *, cell, hidden, length, gain, drive):
        raise OverflowError("too large")

    monkeypatch.setitem(command_line.MEASUREMENTS, "lyapunov", raising)
    assert main("sweep", *SMALL, "--store", tmp_path / "s") == 2
    assert capsys.readouterr().err == "too large; raised by measure_point at cell='elman', hidden=2, length=8\n"


def test_an_error_of_the_program_keeps_its_traceback(tmp_path, monkeypatch):
    def broken(command):
        raise AssertionError

    monkeypatch.setattr(command_line, "run", broken)
    with pytest.raises(AssertionError):
        main("show", tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cells", "elmann"], "cells: got 'elmann', expected some of linear, elman"),
        (["--executor", "threads"], "executor: got 'threads', expected local, processes:N, dask:ADDRESS"),
        (["--seeds", "0"], "repeats: got 0, expected a whole number of at least 1"),
        (["--store", "/proc/s"], "store: cannot write to /proc/s"),
    ],
)
def test_nonsense_is_refused(tmp_path, capsys, words, message):
    assert main("sweep", *SMALL, "--store", tmp_path / "s", *words) == 2
    assert message in capsys.readouterr().err


def test_what_is_no_store_cannot_be_resumed(tmp_path, capsys):
    assert main("resume", tmp_path / "s") == 2
    assert "where there is nothing; expected the store of a sweep" in capsys.readouterr().err
    for words in (("show", tmp_path / "s"), ("export", tmp_path / "s", tmp_path / "s.nc")):
        assert main(*words) == 2
        assert "where there is nothing; expected the store of a sweep" in capsys.readouterr().err


@pytest.mark.parametrize(
    "measure",
    [gradient_flow, lyapunov, singular_values],
)
@pytest.mark.slow
def test_each_measurement_is_described(measure, key):
    found = rd.sweep(
        measure,
        {"cell": ["lstm"], "hidden": [2], "length": [6], "gain": [1.0], "drive": [1.0]},
        key=key,
        progress=False,
    )
    for values in found.data_vars.values():
        assert values.name in ("status", "error") or values.attrs["units"]
    assert (found.status == 1).all()
    figure = overview(found)
    assert figure.axes
    plt.close(figure)


def test_a_half_finished_store_is_shown(tmp_path, key, capsys):
    def measure(key, gain, n):
        return {"count": jnp.asarray(n), "row": jnp.arange(n), "nan": gain * jnp.nan}

    options = {"key": key, "chunk": 2, "progress": False, "store": tmp_path / "edge.g0.5"}
    rd.sweep(measure, {"n": [2, 3], "gain": [0.5, 1.5]}, **options)
    group = zarr.open_group(tmp_path / "edge.g0.5", mode="r+")
    group["progress/record"][1] = ""
    assert main("show", tmp_path / "edge.g0.5") == 0
    assert "4 points, 0 raised, 2 with NaN, 2 not computed yet" in capsys.readouterr().out
    assert (tmp_path / "edge.g0.5.png").exists()


def dataset_of(grid, key):
    return rd.sweep(lambda key, **at: {"sum": sum(at.values()) - 2.0}, grid, key=key, repeats=2, progress=False)


def test_two_axes_of_numbers_are_drawn_as_a_map(key):
    figure = overview(dataset_of({"gain": [0.5, 1.0, 1.5, 2.0], "drive": [0.0, 0.5, 1.0]}, key))
    axes, bar = figure.axes
    (mesh,) = (artist for artist in axes.collections if hasattr(artist, "get_coordinates"))
    assert mesh.get_array().shape == (3, 4)
    np.testing.assert_allclose(mesh.get_array()[0], [-1.5, -1.0, -0.5, 0.0], atol=1e-6)
    # the same reach on either side of 0
    assert mesh.get_clim() == (-1.5, 1.5)
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("gain", "drive", "sum")
    plt.close(figure)


def test_curves_say_which_axis_they_belong_to_and_how_many_are_left_out(key):
    figure = overview(dataset_of({"gain": [0.5, 1.0, 1.5], "hidden": [*range(1, 10)], "drive": [0.1, 1 / 3]}, key))
    (axes,) = figure.axes
    assert "hidden 1, drive 0.333" in [line.get_label() for line in axes.get_lines()]
    assert "8 of 18 curves drawn" in [text.get_text() for text in axes.texts]
    plt.close(figure)


def test_panels_that_find_no_room_are_counted(key):
    found = rd.sweep(
        lambda key, gain, hidden: {"row": gain * jnp.arange(4.0)},
        {"gain": [0.5, 1.0], "hidden": [*range(1, 9)]},
        key=key,
        progress=False,
    )
    figure = overview(found)
    assert len(figure.axes) == 6
    assert "6 of 8 panels drawn" in [text.get_text() for text in figure.axes[-1].texts]
    plt.close(figure)


def test_several_drives_are_swept_and_the_help_lists_the_cells(tmp_path, capsys):
    assert main("sweep", *SMALL, "--store", tmp_path / "s", "--drives", "0.1", "0.2") == 0
    assert open_dataset(tmp_path / "s").drive.values.tolist() == [0.1, 0.2]
    with pytest.raises(SystemExit):
        main("sweep", "--help")
    shown = capsys.readouterr().out
    assert all(name in shown for name in rd.cells.CELLS)


def test_a_missing_extra_is_named(tmp_path, capsys, monkeypatch):
    def without(command):
        raise ModuleNotFoundError("No module named 'h5netcdf'", name="h5netcdf")

    monkeypatch.setattr(command_line, "run", without)
    assert main("export", tmp_path / "s", tmp_path / "s.nc") == 2
    assert "pip install 'rnn_dynamics[netcdf]'" in capsys.readouterr().err


def test_outputs_without_a_picture(tmp_path, key, capsys):
    rd.sweep(lambda key, gain: {"sign": gain > 0}, {"gain": [0.5]}, key=key, progress=False, store=tmp_path / "s")
    assert main("show", tmp_path / "s") == 0
    assert "no figure: none of the outputs is" in capsys.readouterr().out


def test_where_a_picture_is_put(tmp_path):
    assert command_line.beside(f"{tmp_path}/edge.zarr/") == tmp_path / "edge.png"
    assert command_line.beside(f"file://{tmp_path}/edge.g0.5") == tmp_path / "edge.g0.5.png"
    assert str(command_line.beside("memory://runs/edge.zarr")) == "edge.png"


def test_devices_that_the_environment_asks_for_start_nothing(monkeypatch):
    monkeypatch.setattr(jax, "local_device_count", lambda *_: pytest.fail("JAX was started"))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=5")
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    assert one_device_per_core() == 5
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "3")
    assert one_device_per_core() == 3


def test_devices_cannot_be_made_once_jax_has_started(monkeypatch):
    jax.devices()
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with pytest.raises(RuntimeError, match="JAX has already computed something; call this before"):
        one_device_per_core()


@pytest.mark.slow
def test_the_command_as_a_user_gives_it(tmp_path):
    unset = ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES", "JAX_COMPILATION_CACHE_DIR", "TF_CPP_MIN_LOG_LEVEL")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    environment |= {"XLA_FLAGS": "--xla_backend_optimization_level=0", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "rnn_dynamics",
        "sweep",
        *SMALL[3:-1],
        "--widths",
        "2",
        "--chunk",
        "1",
    ]
    for number, executor in enumerate(("local", "processes:2", "local")):
        words = [*command, "--store", str(tmp_path / str(number)), "--executor", executor]
        ended = subprocess.run(words, capture_output=True, text=True, env=environment)
        assert ended.returncode == 0, ended.stderr
        assert "4/4" in ended.stderr
        # the last run reads the programs of the first
        assert "cpu_aot_loader" not in ended.stderr
    assert any(tmp_path.glob("cache/rnn_dynamics/*"))
    one, other = (open_dataset(tmp_path / name).load() for name in "01")
    xarray.testing.assert_identical(one.drop_attrs(), other.drop_attrs())
    assert one.attrs["device"].startswith(f"{len(os.sched_getaffinity(0))} × cpu")


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "processes:2"])
def test_ctrl_c_of_the_command(tmp_path, executor):
    words = [sys.executable, "-m", "rnn_dynamics", "sweep", "--store", str(tmp_path / "s"), "--executor", executor]
    words += ["--gains", *map(str, np.linspace(0.5, 2, 300)), "--length", "3000", "--widths", "16", "--chunk", "2"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while process.poll() is None and not list(tmp_path.glob("s/progress/record/c/*")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    begun = time.monotonic()
    text = process.communicate(timeout=60)[1]
    assert process.returncode == 130, text
    assert time.monotonic() - begun < 15
    assert (open_dataset(tmp_path / "s").status == 0).any()
    assert "finished chunks are kept" in text


def test_a_dataset_in_words(key):
    words = in_words(dataset_of({"a": np.linspace(0.5, 2, 31), "b": [1, 2]}, key)).splitlines()
    assert "  a            0.5 .. 2  (31)" in words
    assert "  b            1, 2" in words
    assert words[:1] + [word for word in words if not word.startswith(" ")][1:] == ["axes", "outputs", "origin"]
    points = in_words(dataset_of([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}], key)).splitlines()
    assert "  a            (point: 2)  1, 3" in points  # the arguments of each point, not only its number
    assert "  point        0, 1" in points
