"""Fixed points in a report: every number of its sentences is that of the search, and what was not sought is said."""

import io
import json

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from known_points import cubic, described, of_cubic
from report_networks import network
from report_networks import rest as known_rest

from rnn_dynamics.plot import STYLE
from rnn_dynamics.reports import figures, rest_in_words
from rnn_dynamics.reports.network import Rest
from rnn_dynamics.reports.page import page
from rnn_dynamics.reports.plain_data import data
from rnn_dynamics.reports.tables import rows
from rnn_dynamics.reports.where_it_rests import LARGEST, where_it_rests


@pytest.fixture
def axes_of():
    """The axes of a figure of a network."""

    def drawn(name, network):
        (drawing,) = (each for each in figures.DRAWINGS if each.name == name)
        (canvas,) = figures.each_drawn(drawing, [network])
        return canvas.axes[0]

    return drawn


def with_points(found, **changes):
    return network()._replace(rest=Rest(found, np.zeros((5, 2)), "")._replace(**changes))


def driven_cubic(growth, h, x):
    """At rest at -1, 0 and 1 where x is 0.3."""
    return cubic(growth, h, x) + x - 0.3


def test_the_sentence_counts_what_was_found():
    # of 9 points: stable ones with multipliers 1/2, so that a disturbance shrinks to 1/e in 1 / ln 2 steps
    assert rest_in_words.of_state_space(network()) == (
        "9 fixed points, 4 of them stable; the slowest time constant at a stable one is 1.44 steps; "
        "at most 2 unstable directions"
    )
    assert rest_in_words.of_point_eigenvalues(network()) == (
        "The largest |λ| is 0.5 at the stable points, 1.25 at the other fixed points"
    )


def test_without_a_stable_point_the_others_are_the_fixed_points():
    found = described(np.zeros((2, 2)), np.stack([np.diag([1.9, 0.5]), np.diag([0.9, 0.5])]), fixed=[True, False])
    assert rest_in_words.of_point_eigenvalues(with_points(found)) == (
        "The largest |λ| is 1.9 at the fixed points, 0.9 at the slow points"
    )


def test_the_eigenvalue_1_of_a_slow_point_is_no_time_constant():
    jacobians = np.stack([np.diag([1 - 1e-5, 0.5]), np.diag([1 - 1e-5, 0.5])])
    found = described(np.zeros((2, 2)), jacobians, fixed=[True, False])
    assert rest_in_words.slowest(found, np.array([True, False])) == pytest.approx(1e5, rel=1e-4)
    assert rest_in_words.slowest(found, np.array([False, True])) == pytest.approx(1 / np.log(2))


@pytest.mark.parametrize("name", ["fixed_points", "fixed_point_eigenvalues"])
def test_no_letter_of_a_figure_is_cut_off(name):
    jacobians = np.stack([np.diag([2.0] * i + [0.5] * (5 - i)) for i in range(6)])
    found = described(np.random.default_rng(0).normal(size=(6, 5)), jacobians)
    net = network()._replace(rest=Rest(found, np.random.default_rng(1).normal(size=(200, 5)), ""))
    (drawing,) = (each for each in figures.DRAWINGS if each.name == name)
    with plt.style.context([STYLE, figures.LOOK]):
        (canvas,) = figures.each_drawn(drawing, [net])
        canvas.savefig(io.BytesIO(), format="svg")
        box = canvas.axes[0].get_tightbbox()
    assert box.x0 >= 0
    assert box.x1 <= canvas.bbox.x1


@pytest.mark.parametrize(
    ("multipliers", "options", "sentence"),
    [
        ([[0.5, 0.9]], {}, "1 fixed point, which is stable; the slowest time constant at a stable one is 9.49 steps"),
        ([[0.5, 1.9]], {}, "1 fixed point, which is not stable; at most 1 unstable direction"),
        ([[0.5, 1.0]], {"undecided": True}, "1 fixed point, undecided"),
        ([[0.5, 0.5]], {"fixed": False}, "No fixed point was found, but 1 slow point"),
        (
            [[0.5, 0.5], [2.0, 0.9], [0.9, 0.9]],
            {"fixed": [True, True, False]},
            "2 fixed points, 1 of them stable; the slowest time constant at a stable one is 1.44 steps; "
            "at most 1 unstable direction",
        ),
        (
            [[0.5, 0.5], [2.0, 0.1]],
            {"outlier": [False, True]},
            "1 fixed point, which is stable; the slowest time constant at a stable one is 1.44 steps",
        ),
    ],
)
def test_sentences_of_other_points(multipliers, options, sentence):
    jacobians = np.stack([np.diag(each) for each in multipliers])
    found = described(np.arange(2.0 * len(jacobians)).reshape(-1, 2), jacobians, **options)
    assert rest_in_words.of_state_space(with_points(found)) == sentence


def test_a_line_of_fixed_points_is_one_line():
    jacobians = np.stack([np.diag([1.0, 0.5])] * 3 + [0.5 * np.eye(2)])
    found = described(np.eye(4)[:, :2], jacobians, undecided=[True, True, True, False])
    found = found._replace(dimension=np.array([1, 1, 1, 0]), manifold=np.array([0, 0, 0, -1]))
    assert rest_in_words.of_state_space(with_points(found)).startswith(
        "A line of fixed points and 1 fixed point, which is stable; "
    )
    assert "fixed, on a line" in rest_in_words.points_table(with_points(found))


def test_the_caption_says_what_was_searched_and_at_which_input():
    far = np.arange(9) == 8
    found = of_cubic(outlier=far)._replace(ending=np.array([2, 2, 0, 1]))
    caption = rest_in_words.state_space_caption(with_points(found, held="the input held at its mean"))
    assert "with the input held at its mean" in caption
    assert "Sought from 4 of its states, with noise; 1 of them led nowhere." in caption
    assert "Left out: 1 far from the states visited." in caption
    assert "held" not in rest_in_words.state_space_caption(with_points(found))
    assert "held at its mean over the first sequence" in rest_in_words.point_eigenvalues_caption(network())


def test_points_that_are_all_far_are_shown_as_such(axes_of):
    found = described(np.array([[9.0, 9.0]]), 0.5 * np.eye(2)[None], outlier=True)
    assert rest_in_words.of_state_space(with_points(found)).startswith("1 fixed point, which is stable")
    assert "Far from the states visited." in rest_in_words.state_space_caption(with_points(found))
    assert "stable, far from the states visited" in rest_in_words.points_table(with_points(found))
    for name in ("fixed_points", "fixed_point_eigenvalues"):
        assert "_stable" in [line.get_label() for line in axes_of(name, with_points(found)).get_lines()]


def test_the_table_lists_the_points_and_how_many_it_leaves_out():
    turning = 0.9 * np.array([[0.0, -1.0], [1.0, 0.0]])
    found = described(np.eye(2), np.stack([turning, np.diag([0.5, 1.25])]))
    table = rest_in_words.points_table(with_points(found))
    cells = table.replace("</td>", "|").replace("</th>", "|").split("<tr>")
    assert [cell.split("|")[0].split(">")[-1] for cell in cells[2:]] == ["stable", "1 unstable"]
    assert "9.49 steps" in cells[2]
    assert "4 steps" in cells[2]
    assert "1.44 steps" in cells[3]
    assert "15 more are not listed." in rest_in_words.points_table(with_points(of_cubic(3)))


def test_the_table_of_all_numbers_has_them():
    numbers = {row.name: row.values[0] for row in rows([network()])}
    assert numbers["Fixed points; stable; undecided"] == "9; 4; 0"
    assert numbers["Slowest time constant at a stable fixed point"] == "1.44 steps"


def test_what_was_not_looked_for_is_said_with_its_reason(undrawn):
    bare = network()._replace(rest=Rest(None, None, "", "the state has 300 numbers"))
    text = page([bare], "9.9")
    assert "Not looked for: the state has 300 numbers." in text
    assert "Fixed points</p>" not in text
    assert data([bare], "9.9")["networks"][0]["rest"] == {"why_not": "the state has 300 numbers"}


def test_a_search_that_found_nothing_is_said(undrawn):
    empty = with_points(described(np.zeros((0, 2)), np.zeros((0, 2, 2))))
    assert "None was found." in page([empty], "9.9")
    json.dumps(data([empty], "9.9"), allow_nan=False)


def test_json_holds_the_points_without_their_matrices():
    held = data([network()], "9.9")["networks"][0]["rest"]
    found = known_rest().found
    np.testing.assert_allclose(held["points"]["state"], found.points)
    np.testing.assert_allclose(held["eigenvalues"]["real"], found.eigenvalues.real)
    assert held["stable"] == found.stable.tolist()
    assert {"right", "left", "jacobians"}.isdisjoint(held)
    json.dumps(held, allow_nan=False)


def test_points_are_those_at_the_mean_input():
    xs = jnp.stack([jnp.full(2, 0.3) + 0.2 * (-1.0) ** t for t in range(40)])
    # the first sequence starts at the origin, and noise takes the candidates from there
    found = where_it_rests(driven_cubic, jnp.asarray(0.25), jnp.zeros(2), xs)
    points = np.asarray(found.found.points)[np.asarray(found.found.fixed)]
    np.testing.assert_allclose(points, np.round(points), atol=1e-9)
    assert found.held == "the input held at its mean over the first sequence"
    assert np.shape(found.visited) == (40, 2)


def test_an_undriven_net_has_no_input_to_hold():
    found = where_it_rests(lambda a, h, x: a * h, jnp.asarray(0.5), jnp.ones(2), jnp.zeros((20, 0)))
    assert found.held == ""
    np.testing.assert_allclose(found.found.points, [[0, 0]], atol=1e-9)


@pytest.mark.parametrize(
    ("n", "xs", "why"),
    [(LARGEST + 1, jnp.zeros((5, 1)), "257 numbers"), (2, jnp.zeros((5, 1), int), "no real numbers")],
)
def test_what_cannot_be_searched_has_its_reason(n, xs, why):
    found = where_it_rests(lambda p, h, x: 0.5 * h, None, jnp.zeros(n), xs)
    assert found.found is None
    assert why in found.why_not
