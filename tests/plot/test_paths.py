"""The whole product and its paths in one picture, none hiding another."""

import numpy as np
import pytest

from rnn_dynamics import plot


def test_paths_have_names_strokes_and_widths_of_their_own(axes, named):
    lag = np.array([0, 2, 4])
    curves = {name: -slope * np.log(10) * lag for name, slope in (("whole", 1), ("c alone", 1), ("h alone", 2))}
    assert plot.gate_paths(axes, curves, lag=lag) is axes
    whole, alone, hidden = (named(name)[0] for name in curves)
    np.testing.assert_allclose(alone.get_xydata(), whole.get_xydata())
    np.testing.assert_allclose(hidden.get_xydata(), [[0, 0], [2, -4], [4, -8]], atol=1e-12)
    assert len({line.get_linestyle() for line in (whole, alone, hidden)}) == 3
    assert whole.get_linewidth() > alone.get_linewidth() > hidden.get_linewidth() > 1
    assert whole.get_zorder() <= alone.get_zorder()
    assert "norm" in axes.get_ylabel()
    plot.label_ends(axes)
    assert [text.get_text() for text in axes.texts] == list(curves)


def test_a_path_that_is_shut_is_said(axes, notes):
    plot.gate_paths(axes, {"whole": np.zeros(3), "c alone": np.array([0.0, -np.inf, -np.inf])})
    assert notes() == [r"c alone: exactly 0, first at $\ell$ = 1"]


def test_no_paths_are_refused(axes):
    with pytest.raises(ValueError, match="curves: got none, expected"):
        plot.gate_paths(axes, {})
    with pytest.raises(ValueError, match=r"log_norms: got shape \(\)"):
        plot.gate_paths(axes, {"whole": 1.0})
