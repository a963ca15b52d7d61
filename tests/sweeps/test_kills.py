"""100 SIGKILLs at random moments over ten kinds of grid: nothing is lost, computed twice, changed or stuck."""

import random

import pytest
import xarray
from sweep_kills import CHUNKS, KINDS, finish, forks, kill, texts

from rnn_dynamics.sweeps import open_dataset

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
def test_killed_ten_times(tmp_path, kind):
    context, rng = forks(), random.Random(kind)
    whole, place = tmp_path / "whole", tmp_path / "s"
    assert set(finish(context, kind, whole)) == {0}
    before, killed, rounds = {}, 0, 0
    while killed < 10:
        rounds += 1
        killed += kill(context, kind, place, rng)
        after = texts(place)
        assert before.items() <= after.items()  # what was finished was not computed again
        before = after
        if len(before) == CHUNKS:  # on a busy machine they may be done before they can be killed: once more, then
            assert set(finish(context, kind, place)) == {0}
            place, before = tmp_path / f"s{rounds}", {}
        assert rounds < 60, f"only {killed} processes were still at work when they were to be killed"
    assert set(finish(context, kind, place)) == {0}
    assert before.items() <= texts(place).items()
    found, expected = open_dataset(place), open_dataset(whole)
    assert (found.status != 0).all()
    xarray.testing.assert_identical(found.load().drop_attrs(), expected.load().drop_attrs())
    for name in found.variables:  # NaN of other bits would be identical for xarray
        if found[name].dtype.kind in "fc":
            assert found[name].values.tobytes() == expected[name].values.tobytes()
