"""The table of mistakes, for PyTorch: each is caught, by recorded outputs, by a live original, or by a shape."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recorded_nets import imported, nonlinearity, recorded, weights
from torch_mistakes import GATES, mistakes, same_net

import rnn_dynamics as rd
from rnn_dynamics.interop.verification import compared_with_recorded, outputs_of, verified

KINDS = list(GATES)


@pytest.fixture(autouse=True)
def _float32():
    with jax.enable_x64(False):
        yield


def table(changes):
    return pytest.mark.parametrize(
        ("kind", "change"),
        [pytest.param(kind, change, id=f"{kind}: {name}") for kind in KINDS for name, change in changes(kind)],
    )


@functools.cache
def original(case):
    """The right import as a function of states and inputs, in the place of a live module."""
    net = imported(case)
    return lambda states, xs: outputs_of(net.cell, net.params, states, xs).values


def live(case, cell, params):
    return verified(cell, params, case, original(case), inputs=5)


@table(mistakes)
def test_a_mistake_in_the_arrays_is_caught(kind, change):
    case = f"{kind}_square"
    wrong = change(weights(case))
    with pytest.raises(rd.interop.MismatchError, match="differs from the original by"):
        imported(case, wrong)
    net = rd.interop.from_torch(wrong, nonlinearity=nonlinearity(case))
    with pytest.raises(rd.interop.MismatchError, match="differs from the original by"):
        live(case, net.cell, net.params)


@table(same_net)
def test_the_same_net_in_other_arrays_is_accepted(kind, change):
    case = f"{kind}_square"
    net = imported(case, change(weights(case)))
    assert live(case, net.cell, net.params).verification.difference < 1e-6


def other_cells(case):
    """The right weights in a wrong cell."""
    p = imported(case).params
    if case == "gru_square":
        merged = p.candidate._replace(b=p.candidate.b + p.recurrent_bias)
        yield "reset before", rd.cells.make_gru("keep", "before"), p._replace(candidate=merged, recurrent_bias=None)
        yield "the other update", rd.cells.make_gru("replace", "after"), p
        yield "both", rd.cells.make_gru("replace", "before"), p._replace(candidate=merged, recurrent_bias=None)
    elif case == "rnn_square":
        yield "relu", rd.cells.make_elman("relu"), p
        yield "a leak", rd.cells.make_elman("tanh", leak=0.999), p
        yield "a rate net", rd.cells.rate, p
    else:
        # a forget bias that a framework adds at run time, added once too often
        yield "forget bias", rd.cells.lstm, p._replace(forget=p.forget._replace(b=p.forget.b + 1))


@pytest.mark.parametrize("case", [f"{kind}_square" for kind in KINDS])
def test_another_convention_is_caught(case):
    for name, cell, params in other_cells(case):
        with pytest.raises(rd.interop.MismatchError):
            compared_with_recorded(cell, params, name, recorded(case))
        with pytest.raises(rd.interop.MismatchError):
            live(case, cell, params)


def test_h_and_c_exchanged_are_caught():
    net = imported("lstm_square")

    def exchanged(states, xs):
        return original("lstm_square")(rd.cells.LSTMState(h=states.c, c=states.h), xs)

    with pytest.raises(rd.interop.MismatchError):
        verified(net.cell, net.params, "exchanged", exchanged, inputs=5)


def test_layers_in_another_order_are_caught():
    arrays = weights("gru_2_layers_square")
    wrong = {
        name.replace("_l0", "_x").replace("_l1", "_l0").replace("_x", "_l1"): array for name, array in arrays.items()
    }
    with pytest.raises(rd.interop.MismatchError):
        imported("gru_2_layers_square", wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_time_and_batch_exchanged_are_caught(kind):
    case = f"{kind}_square"
    net = imported(case)
    xs = np.random.default_rng(3).normal(size=(6, 6, 5)).astype(np.float32)
    outputs = np.asarray(
        jax.vmap(lambda xs: jax.vmap(net.cell.output)(rd.unroll(net.step, net.params, net.h0, xs)))(jnp.asarray(xs))
    )
    assert imported(case, recorded=(xs, outputs)).verification.how == "recorded"
    for inputs, found in (
        (xs, outputs.swapaxes(0, 1)),
        (xs.swapaxes(0, 1), outputs),
        (xs.swapaxes(0, 1), outputs.swapaxes(0, 1)),
    ):
        with pytest.raises(rd.interop.MismatchError):
            imported(case, recorded=(inputs, found))
    # one sequence as PyTorch's default (T, 1, m): T sequences of one step
    with pytest.raises(ValueError, match="got 1 steps, expected at least 3 steps"):
        imported(case, recorded=(recorded(case)[0][:, None], recorded(case)[1][:, None]))
    with pytest.raises(rd.interop.MismatchError):
        verified(net.cell, net.params, kind, lambda states, xs: original(case)(states, xs[:, ::-1]), inputs=5)


@pytest.mark.parametrize("part", ["weight_ih", "weight_hh", "bias_ih", "bias_hh"])
@pytest.mark.parametrize("case", ["lstm", "gru"])
def test_what_is_not_square_is_caught_by_its_shape(case, part):
    name = f"rnn.{part}_l0"
    arrays = weights(case)
    with pytest.raises(ValueError, match=r"shape \("):
        rd.interop.from_torch({**arrays, name: arrays[name][:-1]})
    if "weight" in part:
        with pytest.raises(ValueError, match=r"shape \("):
            rd.interop.from_torch({**arrays, name: arrays[name].T})
    with pytest.raises(ValueError, match="but no"):
        rd.interop.from_torch({key: array for key, array in arrays.items() if key != name})
