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
    exponents = np.array([-0.1, -0.011, 0.0, 0.002, 0.3, np.nan, 0.2, 0.1, 0.0, -np.inf, np.inf])
    stderr = np.array([0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.06, 0.006, np.nan, 0.004])
    reliable = np.array([1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1], bool)
    dataset = xarray.Dataset(
        {
            "exponents": (("net", "index"), exponents[:, None]),
            "stderr": (("net", "index"), stderr[:, None]),
            "reliable": (("net", "index"), reliable[:, None]),
        },
        coords={"length": 1000},
    )
    # undecided: too large an error to call 0.1 a growth, and too large a one to call 0 neither
    expected = [-1, -1, 0, 0, 1, np.nan, np.nan, np.nan, np.nan, -1, np.nan]
    np.testing.assert_array_equal(critical.regimes(dataset), expected)


GAIN = np.array([0.5, 1.0, 2.0, 4.0])
CURVE = np.log(GAIN) - np.log(1.5)


def edges(exponents, fates):
    fates = np.asarray(fates, float)
    return critical.stops_vanishing(GAIN, exponents, fates), critical.begins_to_explode(GAIN, exponents, fates)


def test_a_straight_exponent_has_its_zero_between_two_gains():
    np.testing.assert_allclose(edges(CURVE, np.sign(CURVE)), 1.5, rtol=1e-12)


def test_a_bend_is_placed_by_the_branch_that_ends_there():
    """λ₁ = ln(g/1.5) up to 1.5 and 0 beyond, as where a cycle is born: a line across the bend would say 2."""
    born = np.minimum(CURVE, 0)
    assert np.isclose(edges(born, np.sign(born))[0], 1.5)
    risen = np.maximum(CURVE, 0)
    assert np.isclose(edges(risen, np.sign(risen))[1], 1.5)


def test_edges_stay_in_their_bracket():
    steep = np.array([-0.2, -0.1, 0.0, 0.1])  # continued, the branch would come to 0 only at 2
    assert np.isclose(edges(steep, [-1, -1, 0, 1])[0], 2.0)
    away = np.array([-0.1, -0.2, 0.0, 0.1])
    assert edges(away, [-1, -1, 0, 1])[0] == pytest.approx(2.0)
    assert edges(steep, [-1, 0, 0, 1])[1] == pytest.approx(2.0**1)


def test_edges_outside_the_gains_and_unknown_ones():
    flat = np.ones(4)
    assert edges(-flat, -flat) == (np.inf, np.inf)
    assert edges(flat, flat) == (-np.inf, -np.inf)
    assert np.isnan(edges(flat, flat * np.nan)).all()
    # an unknown fate beside the edge leaves it room, and is neither
    below, beyond = edges(CURVE, [-1, np.nan, 1, 1])
    assert 0.5 <= below <= 2
    assert 0.5 <= beyond <= 2
    assert critical.shown(np.inf, (0.2, 3.0)) == "> 3"
    assert critical.shown(-np.inf, (0.2, 3.0)) == "< 0.2"
    assert critical.shown(np.nan, (0.2, 3.0)) == "unknown"


def test_figure_and_table(tiny):
    rows = critical.critical_gains(tiny)
    assert [(row.cell, row.hidden) for row in rows] == [("linear", 6), ("elman", 6)]
    assert rows[1].mean_field == 1
    assert f"{rows[0].by_radius:.2f}" in critical.table(rows, (0.5, 1.6))
    figure = regimes.draw(tiny)
    titles = " ".join(axes.get_title() + axes.get_title(loc="left") for axes in figure.axes)
    for row in rows:
        assert f"{critical.NAMES[row.cell]}: vanish below {row.vanish_below[1]:.2f}" in titles
    plt.close(figure)


def rows_of_the_default_run():
    found = json.loads((ROOT / "figures" / "regimes.json").read_text())
    return [
        critical.Critical(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})
        for row in found
    ]


def test_the_readme_says_what_the_default_run_found():
    assert critical.summary(rows_of_the_default_run(), regimes.Config()) in (ROOT / "README.md").read_text()


def conclude(rows):
    """What README and docs/maths.md state."""
    for row in rows:
        middle, explodes = row.vanish_below[1], row.explode_beyond[1]
        if row.cell == "linear":
            for gains in (row.vanish_below, row.explode_beyond):
                assert abs(gains[1] / row.by_radius - 1) < 1e-3
        elif row.cell == "elman":
            assert row.mean_field == 1
            assert abs(middle - 1) < row.hidden**-0.5  # by as much a Gaussian matrix of that size misses its circle
            assert abs(middle / row.by_radius - 1) < 0.15
            assert explodes > 1.25
        else:
            assert middle > {"gru": 2.0, "lstm": 1.1}[row.cell] * row.by_radius
            assert explodes > 2


def test_conclusions_of_the_default_run():
    conclude(rows_of_the_default_run())


def test_settings_that_make_no_sweep_are_refused():
    for wrong, name in (({"gains": (1.0, 0.5)}, "gains"), ({"cells": ("mgu",)}, "cells"), ({"steps": 1}, "steps")):
        with pytest.raises(ValueError, match=name):
            regimes.Config(**wrong)


def test_a_page_without_the_marks_stays_as_it_is(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("another project's")
    regimes.rewrite(page, "numbers")
    assert page.read_text() == "another project's"
    page.write_text(f"before{regimes.BEGIN}old{regimes.END}after")
    regimes.rewrite(page, "new")
    assert page.read_text() == f"before{regimes.BEGIN}new{regimes.END}after"


@pytest.mark.slow
def test_another_seed_changes_no_conclusion():
    fewer = regimes.Config(seed=1, hidden=(64,), steps=12, leading=4)
    conclude(critical.critical_gains(regimes.run(fewer)))
