"""What is kept, who can read it, and that going on from it is the same as never having stopped."""

import itertools
import logging
import os
import shutil
import signal
import threading
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray
import zarr
from sweep_measures import counted, failing, matrix, ragged, thrice, twice

import rnn_dynamics as rd
from rnn_dynamics.sweeps import (
    PointError,
    background_writer,
    chunk_records,
    creation,
    export,
    netcdf,
    open_dataset,
    runner,
    session,
    store,
)
from rnn_dynamics.sweeps.options import Options
from rnn_dynamics.sweeps.run import resume

GAINS = [0.5, 1.0, 1.5, 2.0]


@pytest.fixture
def counter(tmp_path, monkeypatch):
    """How many points have been computed since it was asked last."""
    file = tmp_path / "counted"
    monkeypatch.setenv("COUNTED", str(file))

    def count():
        found = len(file.read_bytes()) if file.exists() else 0
        file.unlink(missing_ok=True)
        return found

    return count


def run(address, key, measure=counted, grid=None, **options):
    options = {"chunk": 1, "progress": False} | options
    return rd.sweep(measure, grid or {"gain": GAINS}, key=key, store=address, **options)


def stop_after(monkeypatch, chunks, error=KeyboardInterrupt):
    """The next sweep ends in the middle of writing the chunk after so many."""
    written = []
    whole = zarr.Array.__setitem__

    def set_item(array, region, values):
        if array.basename == "sum" or array.basename == "value":
            written.append(region)
            if len(written) > chunks:
                raise error
        whole(array, region, values)

    monkeypatch.setattr(zarr.Array, "__setitem__", set_item)
    return lambda: monkeypatch.setattr(zarr.Array, "__setitem__", whole)


def same(one, other):
    xarray.testing.assert_identical(one.load().drop_attrs(), other.load().drop_attrs())


def test_plain_xarray_reads_a_store(tmp_path, key):
    found = run(tmp_path / "s", key, matrix, {"n": [2, 3], "gain": GAINS}, repeats=2, chunk=3)
    plain = xarray.open_zarr(tmp_path / "s", chunks=None)
    same(found, plain)
    assert plain.norm.dims == ("n", "gain", "repeat")
    assert plain.norm.sel(n=3, gain=1.5, repeat=1) == found.norm[1, 2, 1]
    assert zarr.open_group(tmp_path / "s", mode="r").metadata.zarr_format == 3
    for name in ("norm", "path", "status", "error"):
        assert zarr.open_array(tmp_path / "s" / name, mode="r").chunks[:3] == tuple(plain.attrs["chunk_shape"])


def test_a_figure_can_be_traced(tmp_path, key, counter):
    attributes = run(tmp_path / "s", key).attrs
    assert attributes["measure_point"] == "sweep_measures:counted"
    assert f"jax {jax.__version__}" in attributes["versions"]
    assert attributes["device"].startswith("1 × cpu")
    assert attributes["key"] == [0, 20]
    assert attributes["key_impl"] == "threefry2x32"
    assert attributes["wall_seconds"] > 0
    assert len(attributes["git_commit"].split()[0]) in (0, 40)
    assert attributes["created"].endswith("+00:00")
    assert attributes["jax_enable_x64"] is True


def test_the_dataset_of_a_store_is_read_when_it_is_looked_at(tmp_path, key, counter):
    found = run(tmp_path / "s", key)
    assert not found["sum"].variable._in_memory
    assert not open_dataset(tmp_path / "s")["noise"].variable._in_memory


@pytest.mark.parametrize("chunks", [0, 2])
def test_what_was_stopped_goes_on_bit_for_bit_and_repeats_nothing(tmp_path, key, counter, monkeypatch, chunks):
    whole = run(tmp_path / "whole", key).load()
    assert counter() == 4
    restore = stop_after(monkeypatch, chunks)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s", key)
    restore()
    counter()
    half = open_dataset(tmp_path / "s")
    assert (half.status != 0).sum() <= chunks + 1
    same(run(tmp_path / "s", key), whole)
    assert counter() == 4 - chunks
    same(run(tmp_path / "s", key), whole)
    assert counter() == 0


def test_a_value_like_the_fill_value_counts_as_finished(tmp_path, key, counter):
    """All of NaN, 0 and False, of which zarr by itself would not even write a file; and NaN of other bits."""

    def measure(key, gain):
        seen = counted(key, gain=gain)["sum"]
        other = jax.lax.bitcast_convert_type(jnp.full_like(seen, 2**64 - 1, dtype=jnp.uint64), seen.dtype)
        turned = jax.lax.complex(seen * np.nan, seen)
        return {
            "nan": seen * np.nan,
            "zero": (seen < -1e9).astype(int),
            "no": seen < -1e9,
            "other": other,
            "turned": turned,
        }

    first = run(tmp_path / "s", key, measure).load()
    assert counter() == 4
    same(run(tmp_path / "s", key, measure), first)
    assert counter() == 0
    assert (first.status == 2).all()
    assert (first.other.values.view(np.uint64) == 2**64 - 1).all()
    np.testing.assert_array_equal(first.turned.values.imag, run(None, key, measure)["turned"].values.imag)
    assert np.isfinite(first.turned.values.imag).all()


def test_the_record_is_written_after_the_data(tmp_path, key, counter, monkeypatch):
    order = []
    whole = zarr.Array.__setitem__

    def set_item(array, region, values):
        order.append(array.basename)
        whole(array, region, values)

    monkeypatch.setattr(zarr.Array, "__setitem__", set_item)
    run(tmp_path / "s", key, chunk=4)
    written = [name for name in order if name not in ("gain", "repeat", "coordinates")]
    assert sorted(written[:-1]) == ["error", "noise", "status", "sum"]
    assert written[-1] == "record"


@pytest.mark.parametrize("how", ["flip", "truncate", "remove", "record"])
def test_a_damaged_chunk_is_found_and_computed_again(tmp_path, key, counter, caplog, how):
    whole = run(tmp_path / "s", key).load()
    counter()
    part = {"record": "progress/record/c/2"}.get(how, "noise/c/2/0/0")
    file = tmp_path / "s" / part
    content = bytearray(file.read_bytes())
    if how == "remove":
        file.unlink()
    else:
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content[: len(content) // 2] if how == "truncate" else content)
    with caplog.at_level(logging.WARNING):
        found = run(tmp_path / "s", key)
    same(found, whole)
    assert counter() == 1
    lines = [line.getMessage() for line in caplog.records]
    assert any("chunk 2" in line and str(tmp_path / "s") in line for line in lines)


def test_another_sweep_is_refused_and_the_difference_named(tmp_path, key, counter):
    run(tmp_path / "s", key)
    cases = [
        ({"grid": {"gain": [0.5, 1.0]}}, r"grid\['gain'\]: has 4 values in the store and 2 here"),
        ({"grid": {"gain": [0.5, 1.0, 1.6, 2.0]}}, r"grid\['gain'\]: value 2 is .*1.5.* in the store and .*1.6.* here"),
        ({"grid": {"gain": GAINS, "big": [True]}}, r"axes are \['gain'\] in the store and \['gain', 'big'\] here"),
        ({"grid": [{"gain": gain} for gain in GAINS]}, "one grid is a list of points and the other a product"),
        ({"measure": matrix}, "measure_point: 'sweep_measures:counted' in the store and 'sweep_measures:matrix' here"),
        ({"repeats": 2}, "repeats: 1 in the store and 2 here"),
        ({"chunk": 2}, "chunk: 1 in the store and 2 here"),
    ]
    for change, message in cases:
        with pytest.raises(ValueError, match=f"holds another sweep: .*{message}"):
            run(tmp_path / "s", key, **change)
    with pytest.raises(ValueError, match=r"key: \[0, 20\] in the store and \[0, 21\] here"):
        run(tmp_path / "s", jax.random.key(21))
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64: True in the store and False here"):
        run(tmp_path / "s", key)
    counter()
    run(tmp_path / "s", key, chunk=None)
    assert counter() == 0
    run(tmp_path / "t", key, chunk=None)
    run(tmp_path / "t", key, chunk=4)  # as many as it had chosen


def test_a_measure_of_the_same_name_that_was_changed_is_refused(tmp_path, key):
    """By another number or by another operation."""
    operation, scale = jnp.multiply, 1.0

    def measure(key, gain):
        return {"value": helper(gain)}

    def helper(gain):
        return operation(scale, gain)

    run(tmp_path / "s", key, measure)
    run(tmp_path / "s", key, measure)
    for operation, scale in ((jnp.multiply, 2.0), (jnp.add, 1.0)):  # noqa: B007 - the closure reads them
        with pytest.raises(ValueError, match="its program differs from the store's"):
            run(tmp_path / "s", key, measure)


def test_an_array_within_an_inner_program_belongs_to_the_measure(tmp_path, key):
    def changed(scale):
        W, own = scale * np.arange(3.0), jax.random.key(int(scale))
        inner = jax.jit(lambda x: (x * W).sum() + jax.random.uniform(own))

        def measure(key, gain):
            return {"value": inner(gain)}

        return measure

    run(tmp_path / "s", key, changed(1.0))
    run(tmp_path / "s", key, changed(1.0))
    with pytest.raises(ValueError, match="its program differs from the store's"):
        run(tmp_path / "s", key, changed(100.0))


def test_a_place_that_holds_something_else_is_refused(tmp_path, key):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "letter").write_text("dear")
    with pytest.raises(ValueError, match="which holds something else; expected a new place"):
        run(tmp_path / "s", key)
    assert (tmp_path / "s" / "letter").read_text() == "dear"
    zarr.create_group(tmp_path / "z")
    with pytest.raises(ValueError, match="which holds something else"):
        run(tmp_path / "z", key)


def test_any_file_system_that_fsspec_knows(key, counter, monkeypatch):
    pytest.importorskip("fsspec")
    address = "memory://sweeps/one"
    restore = stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        run(address, key)
    restore()
    counter()
    found = run(address, key)
    assert counter() == 2
    same(found, run(None, key))


def test_a_folder_by_its_url_and_in_the_home(tmp_path, key, monkeypatch):
    run(f"file://{tmp_path}/s", key, matrix)
    same(open_dataset(tmp_path / "s"), open_dataset(f"file://{tmp_path}/s"))
    monkeypatch.setenv("HOME", str(tmp_path))
    same(open_dataset(tmp_path / "s"), open_dataset("~/s"))


def test_a_store_that_was_left_unfinished_is_made_anew(key, monkeypatch):
    place = zarr.storage.MemoryStore()

    def stop(*words, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(zarr, "consolidate_metadata", stop)
        with pytest.raises(KeyboardInterrupt):
            run(place, key, matrix)
    same(run(place, key, matrix), run(None, key, matrix))
    with pytest.raises(ValueError, match="which holds something else"):
        run(zarr.create_group(zarr.storage.MemoryStore()).store, key, matrix)


def test_a_store_that_cannot_be_read_is_named(tmp_path, key):
    run(tmp_path / "s", key, matrix)
    file = tmp_path / "s" / "zarr.json"
    file.write_bytes(file.read_bytes()[:9])
    for read in (lambda: run(tmp_path / "s", key, matrix), lambda: open_dataset(tmp_path / "s").load()):
        with pytest.raises(ValueError, match=f"store: cannot read .*{tmp_path}/s.*undamaged"):
            read()


def test_what_is_no_store_is_not_opened(tmp_path):
    with pytest.raises(FileNotFoundError, match="where there is nothing; expected the store of a sweep"):
        open_dataset(tmp_path / "s")
    (tmp_path / "letter").write_text("dear")
    for place in (tmp_path, tmp_path / "letter"):
        with pytest.raises(ValueError, match="which holds something else"):
            open_dataset(place)


@pytest.mark.parametrize("error", [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of it")])
def test_want_of_memory_is_no_error_of_a_point(tmp_path, key, monkeypatch, error):
    calls, real = [], runner.run

    def short(*words):
        calls.append(words)
        if len(calls) > 2:
            raise error
        return real(*words)

    with monkeypatch.context() as context:
        context.setattr(runner, "run", short)
        with pytest.raises(MemoryError, match="new store with a smaller chunk="):
            run(tmp_path / "s", key, matrix)
    assert open_dataset(tmp_path / "s").status.values.ravel().tolist() == [1, 1, 0, 0]
    assert (run(tmp_path / "s", key, matrix).status == 1).all()


def test_a_place_that_cannot_be_written_to(key, counter):
    with pytest.raises(OSError, match=r"store: cannot write to /proc/sweep: .*run the same sweep again"):
        run("/proc/sweep", key)


def test_a_finished_store_that_is_read_only_is_just_read(tmp_path, key, counter, monkeypatch):
    whole = run(tmp_path / "s", key).load()
    monkeypatch.setattr(os, "access", lambda *_: False)
    same(run(tmp_path / "s", key), whole)
    shutil.rmtree(tmp_path / "s" / "progress" / "record" / "c")
    with pytest.raises(OSError, match=r"store: cannot write to .*it is read-only"):
        run(tmp_path / "s", key)


def test_what_the_system_refuses_is_said_and_the_rest_kept(tmp_path, key, counter, monkeypatch):
    restore = stop_after(monkeypatch, 2, OSError(28, "No space left on device"))
    with pytest.raises(
        OSError, match=r"store: cannot write to .*: No space left on device\. What was finished"
    ) as caught:
        run(tmp_path / "s", key)
    assert caught.value.errno == 28
    restore()
    counter()
    same(run(tmp_path / "s", key), run(None, key))
    assert counter() == 2 + 4


def test_one_of_two_that_make_a_store_at_once_wins(tmp_path, key, counter, monkeypatch):
    """The other finds it made when its own is ready, and works on that."""
    real = creation.fill_new

    def slow(new, *rest):
        real(new, *rest)
        if not (tmp_path / "s").exists():
            monkeypatch.setattr(creation, "fill_new", real)
            run(tmp_path / "s", key)
            assert counter() == 4

    monkeypatch.setattr(creation, "fill_new", slow)
    run(tmp_path / "s", key)
    assert counter() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_chunk_that_another_process_has_finished_is_left_alone(tmp_path, key, counter, monkeypatch):
    whole = run(tmp_path / "s", key).load()
    records = chunk_records.read_records(store.open_store(tmp_path / "s"))
    counter()
    monkeypatch.setattr(session, "_sorted_out", lambda opened, mine: ({}, [3, 1, 2, 0]))
    same(run(tmp_path / "s", key), whole)
    assert counter() == 0
    assert chunk_records.read_records(store.open_store(tmp_path / "s")) == records


def test_a_chunk_is_written_while_the_next_is_computed(tmp_path, key, monkeypatch):
    """The first write does not end before the second chunk is under way. Two writes are never under way at once."""
    real, second, at_once = background_writer.write, threading.Event(), []

    def slow(*words):
        at_once.append(threading.current_thread().name)
        assert second.wait(10)
        return real(*words)

    def note(gain):
        if gain == GAINS[1]:
            second.set()
        return gain

    def measure(key, gain):
        return {"value": jax.pure_callback(note, gain, gain, vmap_method="sequential")}

    monkeypatch.setattr(background_writer, "write", slow)
    assert (run(tmp_path / "s", key, measure)["value"].values.ravel() == GAINS).all()
    assert {*at_once} == {"sweep-writer_0"}
    found = chunk_records.read_records(store.open_store(tmp_path / "s"))
    assert all(one["begun"] < one["finished"] <= other["begun"] for one, other in itertools.pairwise(found))


def thrice_the_gain(key, gain):
    return {"value": 3 * gain}


def test_a_write_that_fails_ends_the_sweep_and_leaves_no_record(tmp_path, key, monkeypatch):
    real, calls = background_writer.write, []

    def failing_once(opened, number, *words):
        calls.append(number)
        if number == 1:
            raise OSError(28, "No space left on device")
        return real(opened, number, *words)

    monkeypatch.setattr(background_writer, "write", failing_once)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path / "s", key, thrice_the_gain)
    assert calls == [0, 1]
    found = chunk_records.read_records(store.open_store(tmp_path / "s"))
    assert [record is not None for record in found] == [True, False, False, False]
    monkeypatch.setattr(background_writer, "write", real)
    assert (run(tmp_path / "s", key, thrice_the_gain).status == 1).all()


def test_nan_is_kept_and_flagged_and_what_raises_recorded(tmp_path, key):
    grid = {"kind": ["good", "bad"], "gain": [1.0, 2.0, 3.0, 4.0]}
    for chunk in (1, 4):
        found = run(tmp_path / str(chunk), key, failing, grid, chunk=chunk).isel(repeat=0)
        np.testing.assert_array_equal(found.status, [[1, 2, 3, 1], [3, 3, 3, 3]])
        np.testing.assert_array_equal(found["value"][0], [1, np.nan, np.nan, 4])
        np.testing.assert_array_equal(found["count"][0], [7, 7, 0, 7])
        assert "gain three will not do" in str(found.error[0, 2].values)
        assert str(found.error[1, 0].values) == "ValueError: this kind is bad"
        assert (found.error.values[0, [0, 1, 3]] == "").all()


def test_errors_are_raised_if_wanted(tmp_path, key):
    with pytest.raises(ValueError, match="this kind is bad") as caught:
        run(None, key, failing, {"kind": ["good", "bad"], "gain": GAINS}, on_error="raise")
    assert caught.value.__notes__[-1] == "raised by measure_point at kind='bad'"
    with pytest.raises(PointError, match=r"(?s)measure_point raised at gain=3.0: .*gain three will not do"):
        run(tmp_path / "s", key, failing, {"gain": [1.0, 3.0, 4.0]}, on_error="raise")
    assert (open_dataset(tmp_path / "s").status[:, 0].values == [1, 0, 0]).all()
    found = run(tmp_path / "s", key, failing, {"gain": [1.0, 3.0, 4.0]})
    assert (found.status[:, 0].values == [1, 3, 1]).all()
    with pytest.raises(PointError, match=r"(?s)measure_point raised at gain=3.0: .*gain three will not do"):
        run(tmp_path / "s", key, failing, {"gain": [1.0, 3.0, 4.0]}, on_error="raise")


def test_nothing_in_a_store_is_unpickled_or_imported(tmp_path, key, counter, monkeypatch):
    """A store that names a module to run is refused by whoever goes on with it."""
    run(tmp_path / "s", key)
    with pytest.raises(ValueError, match="measure_point of the store: got 'sweep_measures:counted', expected one of"):
        resume(tmp_path / "s", {"sweep_measures:matrix": matrix}, Options(progress=False))
    for module in Path(store.__file__).parent.glob("*.py"):
        if module.name != "engines.py":  # where what is sent to workers is tried out
            assert "pickle" not in module.read_text().replace("pickled", ""), module


@pytest.mark.slow
def test_resume_needs_the_measure_only(tmp_path, key, counter, monkeypatch):
    whole = run(None, key, grid={"gain": GAINS, "big": [False, True]})
    restore = stop_after(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s", key, grid={"gain": GAINS, "big": [False, True]})
    restore()
    with jax.enable_x64(False):
        found = resume(tmp_path / "s", {"sweep_measures:counted": counted}, Options(progress=False))
    same(found, whole)


@pytest.mark.slow
def test_export_to_netcdf(tmp_path, key):
    pytest.importorskip("h5py")

    def measure(key, gain, n, function):
        out = ragged(key, n=n, gain=function(gain))
        return out | {"turned": jax.lax.complex(out["values"], 2 * out["values"])}

    found = run(tmp_path / "s", key, measure, {"gain": GAINS, "n": [2, 3], "function": [twice, thrice]}, chunk=8)
    export(tmp_path / "s", tmp_path / "s.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        back = xarray.open_dataset(tmp_path / "s.nc", engine="h5netcdf").load()
    np.testing.assert_array_equal(back["values"], found["values"])
    np.testing.assert_array_equal(back.turned_real + 1j * back.turned_imag, found.turned)
    np.testing.assert_array_equal(back.positive, found.positive)
    assert list(back.function.values) == list(found.function.values)
    assert back.attrs["measure_point"] == found.attrs["measure_point"]
    assert list(back.attrs["key"]) == [0, 20]
    with pytest.raises(TypeError, match="path: got 3, expected a file's name"):
        netcdf.export(tmp_path / "s", 3)


def test_an_export_overwrites_no_output(tmp_path, key):
    run(tmp_path / "s", key, lambda key, gain: {"a": jax.lax.complex(gain, gain), "a_real": gain})
    with pytest.raises(ValueError, match="export: got the output a_real beside a"):
        export(tmp_path / "s", tmp_path / "s.nc")


def test_wall_time_adds_up_over_sessions(tmp_path, key, counter):
    run(tmp_path / "s", key)
    records = [
        {"session": 10.0, "finished": 12.0},
        {"session": 10.0, "finished": 15.0},
        {"session": 100.0, "finished": 101.5},
    ]
    chunk_records.note_wall_time(tmp_path / "s", records)
    assert open_dataset(tmp_path / "s").attrs["wall_seconds"] == 6.5


def test_descriptions_reach_the_file(tmp_path, key):
    found = run(tmp_path / "s", key, matrix, {"gain": [1.0]})
    assert found.norm.attrs["units"] == "1"
    assert found.status.attrs["flag_meanings"].split()[found.status.values.ravel()[0]] == "no_nan"


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_in_the_middle_of_a_point_is_no_error_of_it(tmp_path, key, times):
    """Compiled code that calls Python turns what is raised there into an error of its own."""
    seen = []

    def note(value):
        seen.append(float(value))
        if len(seen) == 3:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return np.asarray(value)

    def measure(key, gain):
        return {"value": jax.pure_callback(note, gain, gain, vmap_method="sequential")}

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s", key, measure)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # the first waits for the chunk, the second does not
    assert open_dataset(tmp_path / "s").status.values.ravel().tolist() == [1, 1, 1 if times == 1 else 0, 0]
    assert (run(tmp_path / "s", key, measure)["value"].values.ravel() == GAINS).all()
