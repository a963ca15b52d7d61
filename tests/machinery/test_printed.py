"""A result prints on one screen: one line, a table, and the same table as HTML."""

import doctest

import jax
import jax.numpy as jnp
import pytest

import rnn_dynamics as rd
from rnn_dynamics.machinery import printed

T, N = 60, 30
W = jnp.diag(jnp.linspace(0.9, 0.1, N))


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
        "vectors": rd.covariant_vectors(*given, burn_in=10, tail=10, k=3),
        "one vector": rd.covariant_vectors(*given, burn_in=10, tail=10, k=1),
        "contributions": rd.gradient_contributions(*given, lambda states: jnp.sum(states[-1] ** 2)),
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
    assert repr(RESULTS["spectrum"]).startswith("LyapunovSpectrum(k=30, T=60): λ_1 = -0.1054 ± ")
    assert "λ_30 = -2.303" in repr(RESULTS["spectrum"])
    assert repr(RESULTS["spectrum"]).endswith("; all reliable")
    # 60 ln 0.9
    assert repr(RESULTS["flow"]) == "GradientFlow(lags=60): ln‖∂h_T/∂h_(T-60)‖ = -6.322 (2-norm); all converged"
    assert "ln‖∂h_T/∂h_(T-60)‖ = -6.322 (Frobenius norm)" in repr(RESULTS["frobenius alone"])
    assert RESULTS["flow"].summary().splitlines()[-1].split()[:2] == ["60", "-6.322"]
    last = RESULTS["spectrum"].summary().splitlines()[-1].split()
    assert (last[0], last[1], last[-1]) == ("30", "-2.303", "none")


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
