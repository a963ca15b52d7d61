"""Every number of the exercises, to the digits that were recomputed in float64, by hand and by the toolkit alike."""

import ast
import inspect

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import rnn_dynamics as rd
from experiments.exercises import (
    adder,
    adder_and_lstm,
    double_sum,
    gru_by_hand,
    scalar_linear,
    scalar_lstm,
    three_steps,
)

mpl.use("Agg")
EXERCISES = [gru_by_hand, three_steps, scalar_linear, adder_and_lstm, double_sum]
SMALL = {gru_by_hand: {"T": 20, "seeds": 2}, three_steps: {"long_T": 10, "long_hidden": 8}}


@pytest.fixture(scope="module")
def reports():
    return {exercise: exercise.run(exercise.Config(**SMALL.get(exercise, {}))) for exercise in EXERCISES}


def name_of(module):
    return module.__name__.split(".")[-1]


@pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
def test_by_hand_equals_by_toolkit(exercise, reports):
    for row in reports[exercise].rows:
        assert np.shape(row.by_hand) == np.shape(row.by_toolkit), row.quantity
        scale = max(1.0, float(np.max(np.abs(row.by_hand))))
        assert row.difference <= 1e-12 * scale, row.quantity


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (gru_by_hand, ["by_hand"]),
        (three_steps, ["by_hand"]),
        (scalar_linear, ["by_hand"]),
        (adder, ["by_hand"]),
        (scalar_lstm, ["forward", "backward"]),
        (double_sum, ["contributions_by_hand"]),
    ],
)
def test_by_hand_uses_no_automatic_differentiation(module, names):
    """These functions, and what they call in their file, mention neither jax nor the toolkit."""
    tree = ast.parse(inspect.getsource(module))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    seen = set()
    while names:
        name = names.pop()
        seen.add(name)
        used = {node.id for node in ast.walk(ast.Module(functions[name].body, [])) if isinstance(node, ast.Name)}
        assert not used & {"jax", "jnp", "rd"}, name
        names += used & functions.keys() - seen


def value(report, quantity):
    return next(row.by_toolkit for row in report.rows if row.quantity == quantity)


@pytest.mark.parametrize(
    ("exercise", "quantity", "printed", "digits"),
    [
        (scalar_linear, "∂L/∂a", 0.72591322, 8),
        (scalar_linear, "∂L/∂b", -0.34313617, 8),
        (gru_by_hand, "h_2", 0.10998236, 8),
        (gru_by_hand, "∂L/∂h_2", -1.89001764, 8),
        (gru_by_hand, "∂L/∂W_xz", 0.12938975, 8),
        (gru_by_hand, "∂L/∂W_xr", 0.0, 15),
        (gru_by_hand, "∂L/∂W_xh", -0.65300378, 8),
        (double_sum, "W^30 [0, 0] = [Q Λ^30 Q⁻¹] [0, 0]", 0.01526082, 8),
        (double_sum, "W^30 [0, 1]", 0.02034776, 8),
        (double_sum, "W^30 [1, 1]", 0.02713034, 8),
        (double_sum, "[[1, 1], [0, 1]]^30 [0, 1], no QΛQ⁻¹", 30, 12),
    ],
)
def test_published_digits(exercise, quantity, printed, digits, reports):
    assert abs(value(reports[exercise], quantity) - printed) <= 0.5 * 10**-digits


def test_scalar_exercise_holds_for_other_coefficients():
    for a in (-1.5, 1.1, 0.0):
        for row in scalar_linear.run(scalar_linear.Config(a=a, T=6)).rows:
            assert row.difference < 1e-12 * max(1, np.max(np.abs(row.by_hand))), (a, row.quantity)


def test_three_steps_also_for_scalars():
    small = {"inputs": 1, "hidden": 1, "outputs": 1, "long_T": 5, "long_hidden": 4}
    for row in three_steps.run(three_steps.Config(**small)).rows:
        assert row.difference < 1e-13, row.quantity


def test_every_entry_of_the_double_sum_is_the_product_of_its_three_factors():
    """Against step Jacobians and the derivative of a single step, so that a misplaced entry shows."""
    config = double_sum.Config(T=4)
    table = double_sum.contributions_by_hand(config)
    W, U, h, xs, v = (jnp.asarray(array) for array in double_sum.draw_net(config))
    params, step = rd.cells.Affine(W, U), double_sum.LOGISTIC.step
    states = rd.unroll(step, params, h, xs)
    Js = rd.step_jacobians(step, params, h, xs)
    before = jnp.concatenate([h[None], states[:-1]])
    for t in range(5):
        for k in range(5):
            carried = states[t] - v[t]
            for s in range(t, k, -1):
                carried = carried @ Js[s]
            immediate = jax.jacfwd(lambda W, k=k: step(params._replace(W=W), before[k], xs[k]))(W)
            term = jnp.einsum("i,ijk->jk", carried, immediate) if k <= t else jnp.zeros_like(W)
            np.testing.assert_allclose(table[t, k], term, atol=1e-14)


def test_gru_exercise_holds_where_the_recurrent_weights_matter():
    """With h_0 = 0 and x_1 = 0 most gradients are zero; here none is."""
    config = gru_by_hand.Config(inputs=(0.5, -1.0, 2.0), h_0=0.7)
    hand = gru_by_hand.by_hand(config)
    assert min(abs(value) for value in hand.values()) > 1e-4
    assert gru_by_hand.by_toolkit(config) == pytest.approx(hand, rel=0, abs=1e-14)
    assert all(row.difference < 1e-14 for row in gru_by_hand.other_convention(config))


@pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
def test_report_and_figure(exercise, reports):
    text = str(reports[exercise])
    assert "by the toolkit" in text
    assert "nan" not in text
    figure = exercise.draw(exercise.Config(**SMALL.get(exercise, {})))
    assert all(axis.get_xlabel() or axis.get_ylabel() for axis in figure.axes)
    # heights are powers of ten and not their logarithms
    assert not any("log" in axis.get_ylabel() for axis in figure.axes)
    plt.close(figure)
