"""Every measurement on the device against the same one on the CPU of the same machine.

In float64 the two differ by rounding. In float32 both are compared with float64 on the CPU, and the device may be off
by ten times as much as the CPU is. Products of factors rounded to TF32 or bfloat16 would be off by far more.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd
from rnn_dynamics.machinery import eigensystem

from .driver import Found, Row
from .nets import in_float64, matrix, on, on_cpu, problem, training

# the largest relative differences that are fine: of float64, of float32 in addition to ten times the CPU's own error
FLOAT64, FLOAT32 = 1e-9, 2e-5


def _loss(states: Any) -> jax.Array:
    return jnp.stack([jnp.sum(leaf[-1] ** 2) for leaf in jax.tree.leaves(states)]).sum()


def _loss_t(state: Any) -> jax.Array:
    return jnp.stack([jnp.sum(leaf**2) for leaf in jax.tree.leaves(state)]).sum()


def _flow(*net: Any) -> Any:
    found = rd.gradient_flow(*net)
    return found.log_norm, found.log_frobenius, found.log_bound


def _spectrum(*net: Any) -> Any:
    found = rd.lyapunov_spectrum(*net)
    return found.exponents, found.history


def _covariant(*net: Any) -> Any:
    found = rd.covariant_vectors(*net, frame_burn_in=10, tail=10, k=3)
    return jnp.abs(found.vectors), found.rates


def _product(*net: Any) -> Any:
    found = rd.jacobian_product(*net)
    return found.log_norm(), found.matrix


def _contributions(step: Any, params: Any, h0: Any, xs: Any) -> Any:
    found = rd.gradient_contributions(step, params, h0, xs, _loss)
    return found.norms, rd.truncation_bias(found)


def _maps(step: Any, params: Any, h0: Any, xs: Any) -> Any:
    found = rd.linear_maps(step, params, h0, xs[0])
    identity = jnp.eye(sum(leaf.size for leaf in jax.tree.leaves(h0)), dtype=jax.tree.leaves(h0)[0].dtype)
    return found.after, found.push(identity), found.pull(identity)


_unroll: Any = rd.unroll  # older versions have no such method: the row says so
MEASUREMENTS: dict[str, Callable[..., Any]] = {
    "gradient_flow": _flow,
    "lyapunov_spectrum": _spectrum,
    "jacobian_product": _product,
    "log_singular_values": rd.log_singular_values,
    "covariant_vectors": _covariant,
    "state_gradients": partial(rd.state_gradients, loss=_loss),
    "log_state_gradients": partial(rd.log_state_gradients, loss=_loss),
    "parameter_gradient": partial(rd.parameter_gradient, loss=_loss),
    "gradient_contributions": _contributions,
    "unroll": rd.unroll,
    "unroll_newton": partial(_unroll, method="newton"),
    "step_jacobians": rd.step_jacobians,
    "linear_maps": _maps,
    "participation_ratio": lambda *net: rd.participation_ratio(rd.unroll(*net)),
    "rtrl": partial(rd.rtrl, loss_t=_loss_t, wrt=("b",)),
    "jacobian_eigenvalues": lambda *net: jnp.abs(rd.eigen.jacobian_eigenvalues(*net)[:, 0]),
}
# those that draw random numbers, which differ between the precisions: they are compared with the CPU's own float32
DRAWN = {"largest_exponent": lambda *net: rd.largest_exponent(*net, key=jax.random.key(1)).exponent}
EIGEN: dict[str, Callable[..., Any]] = {
    "eigenvalues": lambda W: jnp.sort(jnp.abs(rd.eigen.eigenvalues(W))),
    "power": lambda W: rd.eigen.power(W, 5),
    "eigen_power": lambda W: rd.eigen.eigen_power(W, 5).value,
    "log_power_norms": lambda W: rd.eigen.log_power_norms(W, 20),
    "pseudospectrum": lambda W: rd.eigen.pseudospectrum(W, jax.lax.complex(W, W)),
    "kreiss_constant": lambda W: rd.eigen.kreiss_constant(W / 2),
} | {
    name: getattr(rd.eigen, name)
    for name in (
        "spectral_radius", "spectral_abscissa", "spectral_norm", "numerical_radius", "departure_from_normality",
        "eigenvector_condition", "defective", "transient_growth",
    )
}  # fmt: skip


def difference(there: Any, here: Any) -> float:
    """Return the largest difference, relative to each array's largest number; inf if non-finite entries differ."""
    worst = 0.0
    for one, other in zip(jax.tree.leaves(there), jax.tree.leaves(here), strict=True):
        a, b = (np.asarray(x, np.complex128 if np.iscomplexobj(x) else np.float64) for x in (one, other))
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return float("inf")
        finite = np.isfinite(b)
        scale = max(float(np.abs(b[finite]).max(initial=0)), 1e-3)
        worst = max(worst, float(np.abs(a[finite] - b[finite]).max(initial=0)) / scale)
    return worst


def check(function: Callable[..., Any], dtype: str, drawn: bool, make: Callable[[], Any]) -> Found:
    """Compare the device with the CPU, and time the first call on the device."""
    device, cpu = jax.devices()[0], jax.devices("cpu")[0]
    with jax.enable_x64(False):
        args = on_cpu(make)
    wide = dtype == "float64"
    with jax.enable_x64(wide):
        start = time.perf_counter()
        there = on(device, function, *(in_float64(args) if wide else args))
        first = time.perf_counter() - start
        here = on(cpu, function, *(in_float64(args) if wide else args))
    found: Found = {"difference": difference(there, here), "first_call_s": first}
    if wide or drawn:
        return found | {"fine": found["difference"] <= (FLOAT64 if wide else 10 * FLOAT32)}
    with jax.enable_x64(True):
        truth = on(cpu, function, *in_float64(args))
    errors = {"error_there": difference(there, truth), "error_on_cpu": difference(here, truth)}
    return found | errors | {"fine": errors["error_there"] <= 10 * errors["error_on_cpu"] + FLOAT32}


def products(n: int) -> Found:
    """Compare float32 products with float64: ours in full float32, and what JAX does by default on this device."""
    A = on_cpu(lambda: matrix(n)[0])
    device, cpu = jax.devices()[0], jax.devices("cpu")[0]
    with jax.enable_x64(True):
        truth = on(cpu, lambda A: A @ A, A.astype(jnp.float64))
    ours = difference(on(device, lambda A: rd.eigen.power(A, 2), A), truth)
    default = difference(on(device, jnp.matmul, A, A), truth)
    return {"difference": ours, "by_default": default, "fine": ours < FLOAT32}


def findings(n: int, T: int) -> Found:
    """Diagnose a net whose gradient vanishes and one whose gradient explodes; all findings are to be as on the CPU."""
    device, cpu = jax.devices()[0], jax.devices("cpu")[0]
    named: dict[str, dict[str, str]] = {}
    for place, where in (("device", device), ("cpu", cpu)):
        for gain in (0.3, 3.0):
            step, *net = on_cpu(partial(problem, "elman", n, T, gain))
            found = on(where, lambda *net, step=step: rd.diagnose(step, *net, loss=_loss, horizon=T // 2), *net)
            remedies = [remedy.name for remedy in found.remedies if remedy.helps]
            findings = ", ".join(finding.rule for finding in found.findings)
            named.setdefault(place, {})[f"gain {gain}"] = f"{findings}; {', '.join(sorted(remedies))} would help"
    expected = "vanishes" in named["cpu"]["gain 0.3"] and "explodes" in named["cpu"]["gain 3.0"]
    fine = expected and named["device"] == named["cpu"]
    return {"fine": fine} | ({} if fine else named)


def way() -> Found:
    """Say how eigenvalues are found on this device."""
    platform = jax.devices()[0].platform
    return {"platform": platform, "by": eigensystem.way({"gpu": "cuda"}.get(platform, platform))}


def checks(small: bool) -> list[Row]:
    """Return one check for each measurement, precision and cell; those of the first cell come first."""
    n, T = (4, 30) if small else (16, 60)
    rows = [Row("float32 products", partial(products, 32 if small else 512)), Row("eigenvalues", way)]
    for dtype in ("float32", "float64"):
        one_step = partial(check, training(n, T, 1), dtype, True, lambda: (jax.random.key(1),))
        rows.append(Row(f"one training step {dtype}", one_step, 90))
    rows.append(Row("diagnosis of two nets", partial(findings, 16, 60), 150))
    for cell in ("elman",) if small else ("elman", "lstm", "gru"):
        for dtype in ("float32", "float64"):
            for name, measure in (MEASUREMENTS | DRAWN).items():
                if name == "rtrl" and cell != "elman":
                    continue  # its cost grows with the number of parameters
                make = partial(problem, cell, n, T)
                rows.append(Row(f"{name} {cell} {dtype}", partial(check, measure, dtype, name in DRAWN, make)))
            if cell == "elman":
                for name, measure in EIGEN.items():
                    rows.append(Row(f"eigen.{name} {dtype}", partial(check, measure, dtype, False, partial(matrix, n))))
    return rows
