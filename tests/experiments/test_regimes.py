"""The main experiment: known critical gains, what the README says of the default run, and that no seed decides it."""

import json
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from experiments import critical, regimes

mpl.use("Agg")
ROOT = Path(__file__).parent.parent.parent
TINY = regimes.Config(
    cells=("linear", "elman"), hidden=(6,), gains=(0.5, 1.6), steps=5, nets=3, length=400, burn_in=200, lags=8
)


@pytest.fixture(scope="module")
def tiny():
    return regimes.run(TINY)


def test_a_linear_net_changes_its_fate_at_one_over_its_spectral_radius(tiny):
    linear = tiny.sel(cell="linear", hidden=6)
    radius = (linear.gain / linear.radius).isel(gain=0).values
    for net, expected in enumerate(radius):
        at = linear.isel(net=net)
        curve = (linear.gain.values, at.exponents.values[:, 0], at.regime.values)
        assert np.isclose(critical.stops_vanishing(*curve), expected, rtol=5e-3)
        assert np.isclose(critical.begins_to_explode(*curve), expected, rtol=5e-3)
    # the same draw at every gain
    np.testing.assert_allclose(linear.radius.values / linear.gain.values[:, None] * radius, 1, rtol=1e-4)
    np.testing.assert_allclose(linear.radius_at_rest, linear.radius, rtol=1e-4)
    assert (linear.norm >= linear.radius * (1 - 1e-5)).all()


def test_what_is_measured_fits_together(tiny):
    assert (tiny.log_norm <= tiny.log_bound + 1e-3).all()
    np.testing.assert_allclose(tiny.log_norm[..., -1], tiny.log_singular_values.max("rank"), atol=1e-3)
    # the gradient of one loss grows by no more than the norm of the product
    grown = tiny.log_gradient[..., -1] - tiny.log_gradient[..., 0]
    assert (grown <= tiny.log_norm[..., -2] + 1e-3).all()


def test_regimes_need_more_than_their_error():
    exponents = np.array([-0.1, -0.01, 0.0, 0.002, 0.3, np.nan, 0.2])
    reliable = np.array([1, 1, 1, 1, 1, 1, 0], bool)
    dataset = xarray.Dataset(
        {
            "exponents": (("net", "index"), exponents[:, None]),
            "stderr": (("net", "index"), np.full((7, 1), 0.004)),
            "reliable": (("net", "index"), reliable[:, None]),
        },
        coords={"length": 1000},
    )
    np.testing.assert_array_equal(critical.regimes(dataset), [-1, -1, 0, 0, 1, np.nan, np.nan])


def test_zeros_between_gains():
    gain = np.array([0.5, 1.0, 2.0, 4.0])
    curve = np.log(gain) - np.log(1.5)
    assert np.isclose(critical.begins_to_explode(gain, curve, np.sign(curve)), 1.5)
    assert np.isclose(critical.stops_vanishing(gain, curve, np.sign(curve)), 1.5)
    flat = np.array([-1.0, 0.0, 0.0, 1.0])
    assert critical.stops_vanishing(gain, flat, flat) == 1
    assert critical.begins_to_explode(gain, flat, flat) == 2
    assert critical.begins_to_explode(gain, -curve, np.sign(-curve)) == np.inf
    assert critical.stops_vanishing(gain, -np.ones(4), -np.ones(4)) == np.inf


def test_figure_and_table(tiny):
    rows = critical.critical_gains(tiny)
    assert [(row.cell, row.hidden) for row in rows] == [("linear", 6), ("elman", 6)]
    assert rows[1].mean_field == 1
    assert f"{rows[0].by_radius:.3f}" in critical.table(rows, 1.6)
    figure = regimes.draw(tiny)
    titles = [axes.get_title() + axes.get_title(loc="left") for axes in figure.axes]
    assert "linear, 6 units" in titles
    assert "tanh, 6 units" in titles
    plt.close(figure)


def rows_of_the_default_run():
    found = json.loads((ROOT / "figures" / "regimes.json").read_text())
    return [
        critical.Critical(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})
        for row in found
    ]


def test_the_readme_says_what_the_default_run_found():
    text, config = (ROOT / "README.md").read_text(), regimes.Config()
    assert critical.summary(rows_of_the_default_run(), config.nets, config.gains[1]) in text


def conclude(rows):
    """What README and docs/maths.md state."""
    for row in rows:
        middle, explodes = row.vanish_below[1], row.explode_beyond[1]
        if row.cell == "linear":
            for gains in (row.vanish_below, row.explode_beyond):
                assert abs(gains[1] / row.by_radius - 1) < 1e-3
        elif row.cell == "elman":
            assert row.mean_field == 1
            assert abs(middle - 1) < 0.15
            assert row.explode_beyond[0] > row.by_radius
            assert explodes > 1.25
        else:
            assert middle > 0.95 * row.at_rest
            assert middle > {"gru": 2.0, "lstm": 1.1}[row.cell] * row.by_radius
            assert explodes > 2


def test_conclusions_of_the_default_run():
    conclude(rows_of_the_default_run())


@pytest.mark.slow
def test_another_seed_changes_no_conclusion():
    conclude(critical.critical_gains(regimes.run(regimes.Config(seed=1))))
