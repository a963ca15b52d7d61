"""Pass nonsense to every function of `rd.eigen`, and compare the messages."""

import jax.numpy as jnp
import pytest

from rnn_dynamics import eigen

names = "eigenvalues spectral_radius spectral_abscissa spectral_norm numerical_radius departure_from_normality"
names += " eigenvector_condition defective kreiss_constant transient_growth"
calls = [getattr(eigen, name) for name in names.split()]
calls += [lambda W, f=f: f(W, 3) for f in (eigen.eigen_power, eigen.power, eigen.log_power_norms, eigen.power_norms)]
calls += [lambda W: eigen.pseudospectrum(W, jnp.array([1j]))]
expected = "expected a real array of float32 or float64"
for call in calls:
    for W, kind, message in (
        (jnp.eye(2) * 1j, TypeError, "W: got dtype complex64, " + expected),
        (jnp.eye(2, dtype=int), TypeError, "W: got dtype int32, " + expected),
        ([[1.0]], TypeError, "W: got [[1.0]], " + expected),
        (jnp.ones((2, 3)), ValueError, "W: got shape (2, 3), expected a square matrix"),
    ):
        with pytest.raises(kind) as caught:
            call(W)
        assert str(caught.value) == message
print("all said", len(calls))
