"""A picture of a spectrum says which of its exponents may be believed."""

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.colors import to_hex

import rnn_dynamics as rd
from rnn_dynamics import plot

GREY = to_hex("0.6")


@pytest.fixture(scope="module")
def template():
    """Any spectrum, of which the fields in question are replaced."""
    W = jnp.diag(jnp.array([0.9, 0.5, 0.3, 0.1]))
    params = rd.cells.Affine(W=W, U=jnp.zeros((4, 1)))
    return rd.lyapunov_spectrum(rd.cells.linear.step, params, jnp.zeros(4), None, length=40)


@pytest.fixture
def spectrum(template):
    return template._replace(
        exponents=np.array([0.5, -1.0, -9.0, -20.0], np.float32),
        stderr=np.array([0.1, 0.2, np.inf, 0.4], np.float32),
        reliable=np.array([True, True, True, False]),
        interval=np.int32(1),
    )


def points(axes, color):
    """Index and exponent of all dots that were drawn in this colour."""
    lines = [line for line in axes.get_lines() if line.get_marker() == "o" and to_hex(line.get_color()) == color]
    return np.concatenate([line.get_xydata() for line in lines])


def test_doubted_exponents_are_grey_and_hollow_and_the_others_are_not(axes, spectrum):
    assert plot.lyapunov_spectrum(axes, spectrum, color="C1") is axes
    np.testing.assert_allclose(points(axes, to_hex("C1")), [[1, 0.5], [2, -1], [3, -9]])
    np.testing.assert_allclose(points(axes, GREY), [[4, -20]])
    (grey,) = (line for line in axes.get_lines() if line.get_marker() == "o" and to_hex(line.get_color()) == GREY)
    assert grey.get_markerfacecolor() == "none"
    assert grey.get_zorder() > max(line.get_zorder() for line in axes.get_lines() if line is not grey)


def test_bars_are_one_standard_error_and_an_unknown_one_has_none(axes, spectrum):
    plot.lyapunov_spectrum(axes, spectrum)
    bars = [segment for bars in axes.collections for segment in bars.get_segments()]
    heights = {round(float(bar[:, 1].mean()), 4): float(np.ptp(bar[:, 1])) for bar in bars}
    assert heights == pytest.approx({0.5: 0.2, -1.0: 0.4, -9.0: 0.0, -20.0: 0.8}, rel=1e-5)


@pytest.mark.parametrize(
    ("interval", "dtype", "height"),
    [
        (1, np.float32, 0.5 - np.log(2**23)),
        (2, np.float32, 0.5 - np.log(2**23) / 2),
        (1, np.float64, 0.5 - np.log(2**52)),
    ],
)
def test_the_floor_stands_where_rounding_hides_the_rest(axes, spectrum, interval, dtype, height):
    spectrum = spectrum._replace(exponents=spectrum.exponents.astype(dtype), interval=np.int32(interval))
    plot.lyapunov_spectrum(axes, spectrum)
    (floor,) = (line for line in axes.get_lines() if line.get_label() == "_level")
    np.testing.assert_allclose(floor.get_ydata(), height, rtol=1e-6)
    assert np.dtype(dtype).name in " ".join(text.get_text() for text in axes.texts)


def test_a_floor_out_of_reach_or_not_wanted_is_not_drawn(axes, spectrum):
    plot.lyapunov_spectrum(axes, spectrum, floor=False)
    plot.lyapunov_spectrum(axes, spectrum._replace(exponents=np.array([0.5, 0.4, 0.3, -7.0], np.float32)))
    assert "_level" not in [line.get_label() for line in axes.get_lines()]


def test_the_line_that_joins_only_doubted_exponents_is_grey(axes, named, spectrum):
    plot.lyapunov_spectrum(axes, spectrum._replace(reliable=np.zeros(4, bool)), label="ours", color="C1")
    (line,) = named("ours")
    assert to_hex(line.get_color()) == GREY
    assert all(to_hex(each.get_color()) != to_hex("C1") for each in axes.get_lines())


def test_whole_exponents_have_no_floor_of_rounding(axes, named, spectrum):
    plot.lyapunov_spectrum(axes, spectrum._replace(exponents=np.array([3, 1, -9, -200])))
    assert not named("_level")


def test_few_exponents_have_whole_ticks(axes, spectrum):
    plot.lyapunov_spectrum(axes, spectrum)
    assert {tick % 1 for tick in axes.get_xticks()} == {0}


def test_the_style_of_points_may_have_any_of_its_names(axes, spectrum):
    plot.lyapunov_spectrum(axes, spectrum, markersize=7, markerfacecolor="white")
    dots, rings = (line for line in axes.get_lines() if line.get_marker() == "o")
    assert (dots.get_markersize(), dots.get_markerfacecolor()) == (7, "white")
    assert (rings.get_markersize(), rings.get_markerfacecolor()) == (7, "none")


def test_what_has_no_height_is_marked_on_the_lower_edge(axes, spectrum):
    exponents = np.array([0.5, np.nan, -1.0, -np.inf], np.float32)
    plot.lyapunov_spectrum(axes, spectrum._replace(exponents=exponents, reliable=np.isfinite(exponents)))
    marks = {line.get_marker(): line.get_xydata().tolist() for line in axes.get_lines() if line.get_marker() in "vx"}
    assert marks == {"v": [[4, 0]], "x": [[2, 0]]}
    assert [text.get_text() for text in axes.texts] == [r"$-\infty$", "NaN or inf"]
    np.testing.assert_allclose(points(axes, to_hex("C0")), [[1, 0.5], [3, -1]])


def test_axes_are_named_with_symbols_and_units(axes, spectrum):
    plot.lyapunov_spectrum(axes, spectrum, label="ours")
    assert "nats per step" in axes.get_ylabel()
    assert "$i$" in axes.get_xlabel()
    assert [line.get_label() for line in axes.get_lines() if not line.get_label().startswith("_")] == ["ours"]


def test_arrays_that_do_not_fit_are_refused(axes, spectrum):
    with pytest.raises(ValueError, match=r"spectrum\.exponents: got shape \(1, 1, 4\), expected \(k,\)"):
        plot.lyapunov_spectrum(axes, spectrum._replace(exponents=spectrum.exponents[None, None]))
    with pytest.raises(ValueError, match=r"spectrum\.reliable: got shape \(4,\), expected \(1, 4\) to match"):
        plot.lyapunov_spectrum(axes, spectrum._replace(exponents=spectrum.exponents[None]))
    with pytest.raises(
        ValueError, match=r"spectrum\.stderr: got shape \(3,\), expected \(4,\) to match spectrum\.exponents"
    ):
        plot.lyapunov_spectrum(axes, spectrum._replace(stderr=spectrum.stderr[:3]))
    with pytest.raises(ValueError, match=r"spectrum\.stderr: got -1, expected numbers >= 0"):
        plot.lyapunov_spectrum(axes, spectrum._replace(stderr=-np.ones(4)))
    with pytest.raises(ValueError, match=r"spectrum\.interval: got 0, expected at least 1"):
        plot.lyapunov_spectrum(axes, spectrum._replace(interval=0))
    assert not axes.get_lines()
