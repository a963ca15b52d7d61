"""What was lost of a store is restored or refused, whatever the kind of axis; changed descriptions are updated."""

import logging
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray
from store_damage import flip, forget_copy, reseal
from sweep_measures import thrice, twice

import rnn_dynamics as rd
from rnn_dynamics.sweeps import (
    Variable,
    chunk_records,
    coordinate_copies,
    described,
    expected_layout,
    open_dataset,
    store,
)

GRID = {
    "gain": [0.1, 1 / 3],
    "W": np.arange(8.0).reshape(2, 2, 2) / 7,
    "kind": ["α", "b"],
    "n": [2, 2**62],
    "turned": [True],
    "function": [twice, thrice],
}
COORDINATES = ["gain", "W_value", "W", "kind", "n", "turned", "function", "repeat", "column_length"]


@described(row=Variable("1", "a row", ("column",)), gain=Variable("1", "a gain"))
def of_all_kinds(key, *, gain, W, kind, n, turned, function):
    row = (gain * W.sum() + (kind == "b") * turned) * jnp.arange(2.0 + (n > 2))
    return {"row": jax.lax.complex(row, function(row)), "draw": jax.random.normal(key)}


def run(place, key, measure=of_all_kinds, grid=GRID, **options):
    return rd.sweep(measure, grid, key=key, repeats=2, store=place, progress=False, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    place = tmp_path_factory.mktemp("whole") / "s"
    run(place, jax.random.key(20))
    return place


@pytest.fixture
def damaged(whole, tmp_path):
    """A copy of the store to be damaged; two of its chunks lack a record."""
    place = shutil.copytree(whole, tmp_path / "s")
    for number in (0, 5):
        (place / "progress" / "record" / "c" / str(number)).unlink()
    return place


def harm(place, name, how):
    (file,) = (path for path in (place / name / "c").rglob("0") if path.is_file())
    if how == "lost":
        file.unlink()
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:9])
    else:
        flip(file)


def finished(place):
    found = chunk_records.read_records(store.open_store(place, mode="r"))
    return {number: each for number, each in enumerate(found) if each}


def same(one, other):
    xarray.testing.assert_identical(one.load().drop_attrs(deep=False), other.load().drop_attrs(deep=False))


@pytest.mark.parametrize("how", ["lost", "cut", "flipped"])
def test_coordinates_of_every_kind_are_restored_from_their_copies(damaged, whole, key, caplog, how):
    for name in COORDINATES:
        harm(damaged, name, how)
    expected, before = open_dataset(whole), finished(damaged)
    found = open_dataset(damaged)
    for name in COORDINATES:
        xarray.testing.assert_identical(found[name], expected[name])
        assert f"the values of {name} were lost or changed; restored from its copy" in caplog.text
    caplog.clear()
    run(damaged, key)
    for name in COORDINATES:
        assert f"the values of {name} were lost or changed; restored\n" in caplog.text
    assert before.items() <= finished(damaged).items()
    same(xarray.open_zarr(damaged, chunks=None), expected)


def test_without_copies_the_caller_knows_what_the_values_were(damaged, whole, key, caplog):
    for name in COORDINATES:
        harm(damaged, name, "lost")
        forget_copy(damaged, name)
    with pytest.raises(ValueError, match=r"the values of gain in .*/s were lost or changed, and so was their copy"):
        open_dataset(damaged)
    run(damaged, key)
    same(open_dataset(damaged), open_dataset(whole))


def test_another_grid_does_not_restore_the_values(damaged, key):
    harm(damaged, "gain", "lost")
    forget_copy(damaged, "gain")
    with pytest.raises(ValueError, match=r"the values of gain in .*/s were lost or changed, and so was their copy"):
        run(damaged, key, grid=GRID | {"gain": [0.1, 0.4]})


def test_a_large_coordinate_has_no_copy(monkeypatch):
    assert coordinate_copies.copy_of(np.zeros(coordinate_copies.COPIED // 8))
    assert not coordinate_copies.copy_of(np.zeros(coordinate_copies.COPIED // 8 + 1))


def test_coordinates_and_chunks_are_limited(tmp_path, key, monkeypatch):
    monkeypatch.setattr(expected_layout, "MOST_NUMBERS", 7)
    with pytest.raises(ValueError, match="W_value: has 8 numbers; expected at most 7"):
        run(tmp_path / "s", key)
    monkeypatch.undo()
    monkeypatch.setattr(expected_layout, "MOST_CHUNKS", 63)
    with pytest.raises(ValueError, match="chunk: the grid is cut into 64 chunks of 1 points; expected at most 63"):
        run(tmp_path / "s", key, chunk=1)
    assert not list(tmp_path.iterdir())


SCALE = 1.0


def scaled(key, *, gain):
    return {"value": SCALE * gain}


def test_consent_to_another_version_is_to_one_program(tmp_path, key, monkeypatch, caplog):
    grid = {"gain": [1.0, 2.0]}
    run(tmp_path / "s", key, scaled, grid)
    monkeypatch.setattr(f"{__name__}.SCALE", 2.0)
    with pytest.raises(ValueError, match="its program differs from the store's"):
        run(tmp_path / "s", key, scaled, grid, on_version="accept")
    reseal(tmp_path / "s", lambda attributes, arrays: attributes.update(versions="jax 0.1.0"))
    with pytest.raises(ValueError, match=r"was started with jax 0\.1\.0, and this is .*on_version='accept'"):
        run(tmp_path / "s", key, scaled, grid)
    assert "accepted_programs" not in open_dataset(tmp_path / "s").attrs
    run(tmp_path / "s", key, scaled, grid, on_version="accept")
    run(tmp_path / "s", key, scaled, grid)
    monkeypatch.setattr(f"{__name__}.SCALE", 3.0)
    with pytest.raises(ValueError, match=r"was started with jax 0\.1\.0, and this is"):
        run(tmp_path / "s", key, scaled, grid)


def test_changed_units_and_names_are_updated_and_told(tmp_path, key, monkeypatch, caplog):
    grid = {"gain": [1.0, 2.0]}
    described(value=Variable("nats", "a value"))(scaled)
    run(tmp_path / "s", key, scaled, grid)
    before = finished(tmp_path / "s")
    described(value=Variable("bits", "another"), gain=Variable("1", "a gain"))(scaled)
    with caplog.at_level(logging.WARNING):
        found = run(tmp_path / "s", key, scaled, grid)
    assert (
        "value is described by {'units': 'nats', 'long_name': 'a value'} in the store and by {'units': 'bits'"
        in caplog.text
    )
    assert "the descriptions of gain, value were updated" in caplog.text
    assert found["value"].attrs == {"units": "bits", "long_name": "another"}
    assert found.gain.attrs == {"units": "1", "long_name": "a gain"}
    assert finished(tmp_path / "s") == before
    caplog.clear()
    same(run(tmp_path / "s", key, scaled, grid), found)
    assert not caplog.text
    monkeypatch.setattr("os.access", lambda *_: False)
    described(value=Variable("nats", "a value"))(scaled)
    assert run(tmp_path / "s", key, scaled, grid)["value"].attrs["units"] == "bits"
    assert "is read-only and keeps its descriptions" in caplog.text
    del scaled.variables


def test_changed_names_of_dimensions_are_refused(tmp_path, key):
    def measure(key, *, gain):
        return {"row": gain * jnp.ones(2)}

    run(tmp_path / "s", key, described(row=Variable("1", "", ("time",)))(measure), {"gain": [1.0]})
    with pytest.raises(
        ValueError, match=r"returned \['row: float64\[time=2\]'\] in the store and \['row: float64\[lag=2\]'\] here"
    ):
        run(tmp_path / "s", key, described(row=Variable("1", "", ("lag",)))(measure), {"gain": [1.0]})
