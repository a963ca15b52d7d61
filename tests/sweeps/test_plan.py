"""How large windows and chunks are, and that programs serve any number of windows."""

import signal
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sweep_measures import matrix

import rnn_dynamics as rd
from rnn_dynamics.sweeps import plan, program, runner
from rnn_dynamics.sweeps.grid import read_grid
from rnn_dynamics.sweeps.runner import Work


def work(grid, key, measure=matrix, fields=None):
    found = read_grid(grid, 1)
    return Work(measure, found, key, (jax.devices()[0],), (1,) * len(found.dims), fields or {})


def planned(grid, key, chunk=None, **options):
    problem = work(grid, key, **options)
    groups = plan.groups(problem.grid)
    return plan.make_plan(problem, groups, chunk, {})


def test_a_window_holds_what_the_memory_of_a_point_allows(key, monkeypatch):
    grid = {"gain": np.linspace(0, 1, 1000)}
    monkeypatch.setattr(plan, "_windows_a_chunk", lambda *_: 1)
    assert planned(grid, key).window[0] <= plan.MOST_ON_CPU
    monkeypatch.setattr(plan, "CPU_WINDOW", 1)
    assert planned(grid, key).window == (1, 1)


def accelerator(memory):
    return SimpleNamespace(platform="gpu", memory_stats=lambda: memory)


def test_an_accelerator_is_asked_for_its_memory():
    assert plan.limits_of(accelerator({"bytes_limit": 80_000, "bytes_in_use": 16_000})).memory == 16_000
    assert plan.limits_of(accelerator(None)).memory == plan.SMALL_ACCELERATOR / 4
    assert plan.limits_of(jax.devices()[0]) == (plan.CPU_WINDOW, plan.MOST_ON_CPU, 1, False)


def test_a_window_of_an_accelerator_keeps_to_the_memory_and_a_group_is_compiled_once(tmp_path, key, monkeypatch):
    """A point alone would pass for smaller than it is, since its program is not vmapped."""
    made, real = [], runner.compile_program

    def compile_program(*words, width, **options):
        made.append(width)
        return real(*words, width=width, **options)

    monkeypatch.setattr(runner, "compile_program", compile_program)
    monkeypatch.setattr(program.Program, "memory", property(lambda self: 1000 * self.width if self.width > 1 else 10))
    monkeypatch.setattr(plan, "limits_of", lambda device: plan.Limits(16_000, 4096, 512, strict=True))
    monkeypatch.setattr(plan, "_seconds", lambda *_: 1e-6)

    def measure(key, *, gain, n):
        return {"value": n * gain}

    grid = {"gain": np.linspace(0, 1, 1000), "n": [2, 3, 4]}
    found = rd.sweep(measure, grid, key=key, store=tmp_path / "s", progress=False)
    assert found.attrs["window_shape"] == [16, 1, 1]
    # of the first and the last n a point alone and what was tried; then a program for each n
    assert sorted(made) == [1, 1, 16, 16, 16, 1000]
    np.testing.assert_allclose(found["value"][:, :, 0], grid["gain"][:, None] * np.array(grid["n"]), rtol=1e-12)
    # a store keeps its window, whatever the memory
    monkeypatch.setattr(plan, "limits_of", lambda device: plan.Limits(1, 4096, 512, strict=True))
    again = rd.sweep(measure, grid, key=key, store=tmp_path / "s", progress=False)
    assert again.attrs["window_shape"] == [16, 1, 1]


@pytest.mark.parametrize(("seconds", "width"), [(0.01, 64), (0.2, 8), (20.0, 1), (None, 64)])
def test_a_window_of_slow_points_is_narrow(key, monkeypatch, seconds, width):
    monkeypatch.setattr(plan, "_seconds", lambda *_: seconds)
    monkeypatch.setattr(plan, "CPU_WINDOW", 2**40)
    assert planned({"gain": np.linspace(0, 1, 64)}, key).window == (width, 1)


def test_what_is_drawn_does_not_depend_on_neighbours(key):
    def draw(key, gain):
        return {"x": gain * jax.random.normal(key)}

    gains = np.linspace(1, 2, 4)
    for mine in (jax.random.key(3, impl="rbg"), jax.random.key(3, impl="unsafe_rbg")):
        found = rd.sweep(draw, {"gain": gains}, key=mine, progress=False)
        alone = [draw(jax.random.fold_in(mine, number), gain)["x"] for number, gain in enumerate(gains)]
        np.testing.assert_allclose(found.x[:, 0], alone, rtol=1e-12)
        assert found.attrs["window_shape"] == [1, 1]
    with jax.default_prng_impl("rbg"):
        assert planned({"gain": gains}, jax.random.PRNGKey(3), measure=draw).window == (1, 1)
    assert planned({"gain": gains}, jax.random.PRNGKey(3), measure=draw).window == (4, 1)


def test_ctrl_c_while_a_window_is_timed(key):
    seen = []

    def note(value):
        seen.append(value)
        if len(seen) == 1:
            signal.raise_signal(signal.SIGINT)
        return np.asarray(value)

    def measure(key, gain):
        return {"value": jax.pure_callback(note, gain, gain, vmap_method="sequential")}

    with pytest.raises(KeyboardInterrupt):
        planned({"gain": np.linspace(0, 1, 8)}, key, measure=measure)
    assert len(seen) == 1


def test_a_window_is_never_larger_than_a_chunk_or_the_grid(key):
    grid = {"gain": np.linspace(0, 1, 10), "n": [2, 3]}
    assert planned(grid, key, chunk=1) == plan.Plan((1, 1, 1), (1, 1, 1))
    made = planned(grid, key, chunk=5)
    assert made.window[0] <= 5
    assert made.window[1:] == (1, 1)
    assert planned({"gain": [1.0]}, key) == plan.Plan((1, 1), (1, 1))


@pytest.mark.parametrize(("seconds", "windows"), [(10.0, 1), (0.5, 4), (1e-9, 500)])
def test_a_chunk_takes_some_seconds(key, monkeypatch, seconds, windows):
    monkeypatch.setattr(plan, "_seconds", lambda *_: seconds)
    monkeypatch.setattr(plan, "CPU_WINDOW", 1)
    made = planned({"gain": np.linspace(0, 1, 500)}, key)
    assert made.chunk[0] // made.window[0] == windows


def test_the_outputs_of_a_chunk_are_limited(key, monkeypatch):
    monkeypatch.setattr(plan, "_seconds", lambda *_: 1e-9)
    monkeypatch.setattr(plan, "CPU_WINDOW", 1)
    large = {"a": (np.dtype("float64"), (plan.CHUNK_BYTES // 80,))}
    assert planned({"gain": np.linspace(0, 1, 500)}, key, fields=large).chunk == (10, 1)


@pytest.mark.parametrize(("most", "length"), [(1000, 1), (999, 2), (300, 4), (1, 500)])
def test_chunks_grow_until_there_are_few_enough(key, monkeypatch, most, length):
    """Each n is a program of its own, so that there are at least two chunks."""
    monkeypatch.setattr(plan, "MOST_CHUNKS", most)
    found = plan._few_enough(work({"gain": np.linspace(0, 1, 500), "n": [2, 3]}, key), 1)
    assert found == (length, 1, 1)


def test_few_windows_are_not_timed(key, monkeypatch):
    monkeypatch.setattr(plan, "_seconds", lambda *_: pytest.fail("timed"))
    monkeypatch.setattr(plan, "CPU_WINDOW", 1)
    assert planned({"gain": np.linspace(0, 1, plan.FEW)}, key).chunk == (1, 1)


@pytest.mark.parametrize("width", [1, 3])
def test_a_program_takes_any_number_of_windows(key, width):
    def measure(key, gain):
        return {"twice": 2 * gain, "draw": jax.random.normal(key)}

    made = program.compile_program(
        measure,
        {},
        {"gain": jax.ShapeDtypeStruct((), jnp.float64)},
        key,
        width=width,
        capacity=2,
        devices=jax.devices()[:1],
    )
    for windows in (1, 2, 5):
        gain = np.arange(windows * width, dtype=float).reshape(windows, width)
        found = program.run(made, key, gain.astype(np.uint32), {"gain": gain})
        np.testing.assert_array_equal(found["twice"], 2 * gain)
        keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(np.arange(windows * width, dtype=np.uint32))
        np.testing.assert_allclose(found["draw"].ravel(), jax.vmap(jax.random.normal)(keys), rtol=1e-12)
        copied = program.run(made._replace(on_cpu=False), key, gain.astype(np.uint32), {"gain": gain})
        assert all(copied[name].tobytes() == found[name].tobytes() for name in found)


def test_more_windows_than_a_program_holds(key, monkeypatch):
    monkeypatch.setattr(runner, "MOST_WINDOWS", 2)
    grid = {"gain": np.linspace(0.5, 2, 11)}
    found = rd.sweep(matrix, grid, key=key, chunk=11, progress=False)
    monkeypatch.setattr(plan, "CPU_WINDOW", 1)
    one_by_one = rd.sweep(matrix, grid, key=key, chunk=11, progress=False)
    assert one_by_one.attrs["window_shape"] == [1, 1]
    np.testing.assert_allclose(found.norm, one_by_one.norm, rtol=1e-12)
    np.testing.assert_allclose(found.path, one_by_one.path, rtol=1e-12)
