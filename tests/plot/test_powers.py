"""Curves of norms, however large, with labels that do not cover each other."""

import numpy as np
import pytest

from rnn_dynamics import plot


def test_heights_are_decimal_logarithms_and_ticks_powers_of_ten(axes):
    steps = np.arange(4)
    assert plot.power_norms(axes, {"grows": steps * 1000.0, "shrinks": -steps * np.log(10)}) is axes
    grows, shrinks = axes.get_lines()
    np.testing.assert_allclose(grows.get_ydata()[-1], 3000 / np.log(10))
    np.testing.assert_allclose(shrinks.get_ydata(), -steps)
    np.testing.assert_allclose(shrinks.get_xdata(), steps)
    assert grows.get_linestyle() != shrinks.get_linestyle()
    assert [line.get_label() for line in axes.get_lines()] == ["grows", "shrinks"]
    assert axes.yaxis.get_major_formatter()(-3.0, None) == "$10^{-3}$"


def test_a_power_that_is_zero_ends_its_curve_and_is_said(axes, named, notes):
    plot.power_norms(axes, {"nilpotent": np.array([0.0, 1.0, -np.inf])})
    np.testing.assert_array_equal(np.isfinite(axes.get_lines()[0].get_ydata()), [True, True, False])
    assert [mark.get_xydata().tolist() for mark in named("_on_edge")] == [[[2, 0]]]
    assert notes() == ["nilpotent: exactly 0, first at $n$ = 2"]
    plot.label_ends(axes)
    (label,) = (text for text in axes.texts if text.get_text() == "nilpotent")
    across = axes.transData + axes.transAxes.inverted()
    np.testing.assert_allclose(label.xy, across.transform((1, 1 / np.log(10))))


def test_a_single_power_is_a_dot(axes, named):
    plot.power_norms(axes, {"W": np.array([np.log(10)])})
    (dot,) = named("_alone")
    np.testing.assert_allclose(dot.get_xydata(), [[0, 1]])
    assert dot.get_marker() == "o"


def test_arrays_that_do_not_fit_are_refused(axes):
    with pytest.raises(ValueError, match=r"log_norms\['W'\]: got shape \(1, 3\), expected \(n,\)"):
        plot.power_norms(axes, {"W": np.zeros((1, 3))})
    with pytest.raises(ValueError, match="log_norms: got no curve"):
        plot.power_norms(axes, {})


def test_few_powers_have_no_ticks_between_them(axes):
    plot.power_norms(axes, {"W": np.zeros(2)})
    assert {tick % 1 for tick in axes.get_xticks()} == {0}
