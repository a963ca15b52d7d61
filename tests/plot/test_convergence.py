"""Running estimates over the steps behind them, with the error they end with."""

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.colors import to_hex

import rnn_dynamics as rd
from rnn_dynamics import plot

GREY = to_hex("0.6")
HISTORY = np.array([[1.0, -1.0, -2.0], [0.7, -1.5, -3.0], [0.5, -1.2, -2.5]])


@pytest.fixture
def spectrum():
    return rd.LyapunovSpectrum(
        exponents=HISTORY[-1],
        stderr=np.array([0.1, np.inf, 0.3]),
        history=HISTORY,
        local=HISTORY,
        steps=np.array([10, 20, 40], np.int32),
        reliable=np.array([True, True, False]),
        converged=np.ones(3, bool),
        sum_rule_residual=np.float64(0),
        interval=np.int32(1),
    )


def names(axes):
    return [line.get_label() for line in axes.get_lines() if not line.get_label().startswith("_")]


def test_curves_are_the_history_over_a_logarithmic_axis(axes, named, spectrum):
    assert plot.convergence(axes, spectrum, first=2) is axes
    assert names(axes) == [r"$\lambda_{1}$", r"$\lambda_{2}$"]
    for i, name in enumerate(names(axes)):
        np.testing.assert_allclose(named(name)[0].get_xydata(), np.stack([[10, 20, 40], HISTORY[:, i]], axis=1))
    assert axes.get_xscale() == "log"
    assert ("steps" in axes.get_xlabel(), "nats per step" in axes.get_ylabel()) == (True, True)


def test_bands_are_one_standard_error_of_the_end_and_an_unknown_one_has_none(axes, named, spectrum):
    plot.convergence(axes, spectrum)
    known, doubted = axes.collections
    for area, edges, name in ((known, (0.4, 0.6), 1), (doubted, (-2.8, -2.2), 3)):
        corners = area.get_paths()[0].vertices
        np.testing.assert_allclose(np.unique(corners[:, 1].round(9)), edges)
        assert set(corners[:, 0]) == {10, 20, 40}
        assert to_hex(area.get_facecolor()[0]) == to_hex(named(rf"$\lambda_{{{name}}}$")[0].get_color())


def test_doubted_exponents_are_grey_and_dashed_and_said(axes, named, notes, spectrum):
    plot.convergence(axes, spectrum)
    looks = [(to_hex(line.get_color()) == GREY, line.get_linestyle()) for line in axes.get_lines()]
    assert looks == [(False, "-"), (False, "-"), (True, "--")]
    assert notes() == ["grey: not reliable, 1 of 3"]


def test_all_in_doubt_are_all_grey(axes, notes, spectrum):
    plot.convergence(axes, spectrum._replace(reliable=np.zeros(3, bool)))
    assert {to_hex(line.get_color()) for line in axes.get_lines()} == {GREY}
    assert notes() == ["grey: not reliable, 3 of 3"]


def test_one_segment_is_a_point_with_its_error(axes, named, spectrum):
    plot.convergence(axes, spectrum._replace(history=HISTORY[-1:], steps=np.array([40])), first=1)
    assert [dot.get_xydata().tolist() for dot in named("_alone")] == [[[40, 0.5]]]
    np.testing.assert_allclose(axes.collections[0].get_segments()[0], [[40, 0.4], [40, 0.6]])


def test_rows_that_were_not_run_are_not_drawn(axes, named, spectrum):
    plot.convergence(axes, spectrum._replace(steps=np.array([10, 20, 20]), history=HISTORY[[0, 1, 1]]), first=1)
    assert named(r"$\lambda_{1}$")[0].get_xdata().tolist() == [10, 20]


def test_estimates_without_a_height_are_said(axes, notes, spectrum):
    history = np.array([[1.0, -1.0, np.nan], [np.inf, -np.inf, np.nan], [0.5, -np.inf, np.nan]])
    nothing = spectrum._replace(history=history, exponents=history[-1], reliable=np.zeros(3, bool))
    plot.convergence(axes, nothing)
    plot.label_ends(axes)
    assert notes() == [
        r"$\lambda_{1}$: infinite, first at $T$ = 20",
        r"$\lambda_{2}$: $-\infty$, first at $T$ = 20",
        r"$\lambda_{3}$: NaN, first at $T$ = 10",
        "grey: not reliable, 3 of 3",
    ]


def test_a_measured_spectrum_is_drawn(axes, named):
    params = rd.cells.Affine(W=jnp.diag(jnp.array([0.9, 0.5])), U=jnp.zeros((2, 1)))
    spectrum = rd.lyapunov_spectrum(rd.cells.linear.step, params, jnp.zeros(2), None, length=140, frame_burn_in=100)
    plot.convergence(axes, spectrum)
    (line,) = named(r"$\lambda_{1}$")
    np.testing.assert_allclose(line.get_ydata()[-1], np.log(0.9), rtol=1e-6)
    assert line.get_xdata()[-1] == 40


def test_arrays_that_do_not_fit_are_refused(axes, spectrum):
    with pytest.raises(ValueError, match=r"spectrum\.history: got shape \(1, 3, 3\), expected \(segments, k\)"):
        plot.convergence(axes, spectrum._replace(history=HISTORY[None]))
    with pytest.raises(
        ValueError, match=r"spectrum\.steps: got shape \(2,\), expected \(3,\) to match spectrum\.history"
    ):
        plot.convergence(axes, spectrum._replace(steps=np.array([1, 2])))
    with pytest.raises(
        ValueError, match=r"spectrum\.stderr: got shape \(2,\), expected \(3,\) to match spectrum\.history"
    ):
        plot.convergence(axes, spectrum._replace(stderr=np.zeros(2)))
    with pytest.raises(ValueError, match=r"spectrum\.stderr: got -1, expected numbers >= 0"):
        plot.convergence(axes, spectrum._replace(stderr=-np.ones(3)))
    with pytest.raises(ValueError, match=r"spectrum\.steps: got \[0\. .*expected positive numbers"):
        plot.convergence(axes, spectrum._replace(steps=np.array([0, 1, 2])))
    with pytest.raises(ValueError, match="first: got 0, expected at least 1"):
        plot.convergence(axes, spectrum, first=0)
    assert not axes.get_lines()
