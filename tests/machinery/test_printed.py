"""A result prints on one screen: one line, a table, and the same table as HTML."""

import doctest

import jax
import jax.numpy as jnp
import optax
import pytest
from learning import fit

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.machinery import printed

T, N = 100, 30
W = jnp.diag(jnp.linspace(0.9, 0.1, N))


SMALL = {"key": jax.random.key(0), "updates": 4, "every": 2, "hidden": 3, "batch": 2, "held_out": 3}


ADDING = train.tasks.adding(5)
NET = train.init_net(rd.cells.elman, ADDING, key=jax.random.key(0), hidden=3)
FLOSS = {"key": jax.random.key(0), "k": 2, "updates": 2, "optimizer": optax.sgd(0.1)}


def linear(W, h, x):
    return W @ h + x


def results():
    h0, xs = jnp.zeros(N), jnp.zeros((T, N))
    given = linear, W, h0, xs
    return {
        "flow": rd.gradient_flow(*given),
        "frobenius alone": rd.gradient_flow(*given, curves=("frobenius",)),
        "anchors": rd.gradient_flow(*given, anchors=(30, 60), curves=("frobenius",)),
        "spectrum": rd.lyapunov_spectrum(*given),
        "largest": rd.largest_exponent(*given, key=jax.random.key(0)),
        "vectors": rd.covariant_vectors(*given, frame_burn_in=10, tail=10, k=3),
        "one vector": rd.covariant_vectors(*given, frame_burn_in=10, tail=10, k=1),
        "contributions": rd.gradient_contributions(*given, lambda states: jnp.sum(states[-1] ** 2)),
        "fit": fit(rd.cells.elman, train.tasks.adding(5), optax.sgd(0.1), **SMALL),
        "product": rd.jacobian_product(*given),
        "power": rd.eigen.eigen_power(W, 3),
        "transient growth": rd.eigen.transient_growth(W),
        "preflossed": train.prefloss(rd.cells.elman, NET, ADDING, **FLOSS),
        "batch": jax.vmap(lambda W: rd.lyapunov_spectrum(linear, W, h0, xs, k=4))(jnp.stack([W, W / 2])),
    }


RESULTS = results()


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_fits_on_a_screen(name):
    line, table = repr(RESULTS[name]), RESULTS[name].summary()
    assert "\n" not in line
    assert len(line) <= 100
    assert table.startswith(line)
    assert len(table.splitlines()) <= 30
    assert max(map(len, table.splitlines())) <= 100
    assert RESULTS[name]._repr_html_().count("<tr>") == len(table.splitlines()) - 1


def test_what_is_printed_is_what_was_found():
    found = RESULTS["spectrum"]
    largest, error, smallest = found.exponents[0], found.stderr[0], found.exponents[-1]
    assert repr(found).startswith(
        f"LyapunovSpectrum(k=30, T=100): λ_1 = {largest:.4g} ± {error:.4g}, λ_30 = {smallest:.4g}"
    )
    assert repr(found).endswith("; all reliable")
    last = found.summary().splitlines()[-1].split()
    assert (last[0], last[1], last[-1]) == ("30", f"{smallest:.4g}", "none")
    # 100 ln 0.9; the others have vanished beside it
    assert repr(RESULTS["flow"]) == "GradientFlow(lags=100): ln‖∂h_T/∂h_(T-100)‖ = -10.54 (2-norm); all converged"
    assert "ln‖∂h_T/∂h_(T-100)‖ = -10.54 (Frobenius norm)" in repr(RESULTS["frobenius alone"])
    assert RESULTS["flow"].summary().splitlines()[-1].split()[:2] == ["100", "-10.54"]


def test_a_training_tells_how_it_ended():
    fit = RESULTS["fit"]
    last = float(fit.held_out_loss[-1])
    assert repr(fit).startswith(f"Fit(updates=4, all updates made): held-out loss {last:.4g}, correct ")
    assert [line.split()[0] for line in fit.summary().splitlines()[2:]] == ["0", "2", "4"]
    stopped = fit._replace(
        outcome=jnp.int32(1), updates=jnp.int32(2), held_out_loss=fit.held_out_loss.at[2].set(jnp.nan)
    )
    seen = float(fit.held_out_loss[1])
    assert repr(stopped).startswith(f"Fit(updates=2, stopped when solved): held-out loss {seen:.4g}, ")


def test_doubts_are_counted_and_named():
    short = rd.lyapunov_spectrum(linear, W, jnp.zeros(N), jnp.zeros((3, N)), k=2)
    assert repr(short).endswith("; 0 of 2 reliable")
    assert short.summary().splitlines()[-1].endswith("too short")


def test_a_result_without_numbers_prints_as_a_tuple():
    shapes = jax.tree.map(jnp.shape, RESULTS["largest"])
    assert repr(shapes).startswith("LargestExponent(exponent=(), stderr=()")
    assert shapes.summary() == repr(shapes)
    seen = []

    @jax.jit
    def traced(W):
        found = rd.largest_exponent(linear, W, jnp.zeros(N), jnp.zeros((T, N)), key=jax.random.key(0))
        seen.append(repr(found))
        return found

    # what comes back is a pytree with the same fields
    assert traced(W)._fields == RESULTS["largest"]._fields
    assert seen[0].startswith("LargestExponent(exponent=")


def test_examples_of_the_helpers():
    assert doctest.testmod(printed).failed == 0
