"""Times of ours: on the device, and on the CPU of the same machine, which uses all its cores."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import rnn_dynamics as rd

from .driver import Found
from .nets import batched, nets, on_cpu, problem, seconds, training

# spectra that would need more multiplications than this are not timed on the CPU
MOST_ON_CPU = 6e10


def timed(
    function: Callable[..., Any], make: Callable[[], Any], steps: int = 0, cpu: bool = True, most: float = 3.0
) -> Found:
    """Return the seconds of the first call and of later ones on the device and on the CPU, and their ratio."""
    found: Found = {}
    devices = {"": jax.devices()[0]} | ({"cpu_": jax.devices("cpu")[0]} if cpu else {})
    for name, device in devices.items():
        args = jax.device_put(on_cpu(make), device)
        with jax.default_device(device):
            found[f"{name}first_s"], found[f"{name}s"] = seconds(partial(function, *args), most)
        if steps:
            found[f"{name}us_per_step"] = found[f"{name}s"] / steps * 1e6
    if cpu:
        found["cpu_over_device"] = found["cpu_s"] / found["s"]
    return found


def product_rate(n: int, precision: str) -> Found:
    """Measure the rate of a large matrix product."""
    A = jax.random.normal(jax.random.key(0), (n, n))
    dot = jax.jit(partial(jnp.dot, precision=precision))
    _, later = seconds(lambda: dot(A, A))
    return {"s": later, "tflops": 2 * n**3 / later / 1e12}


def bare_product(n: int, T: int, count: int) -> Found:
    """Time the product of Jacobians, as a fraction of the rate of one large product in the same precision."""
    found = timed(batched(rd.jacobian_product, "elman"), partial(nets, "elman", n, T, count))
    tflops = 2 * n**3 * T * count / found["s"] / 1e12
    return found | {
        "tflops": tflops,
        "of_large_product": tflops / product_rate(4096 if n > 8 else 64, "highest")["tflops"],
    }


def flow(n: int, T: int, count: int) -> Found:
    """Time the gradient flow of a batch of nets."""

    def curves(*net: Any) -> Any:
        found = rd.gradient_flow(*net)
        return found.log_norm, found.log_frobenius, found.log_bound

    return timed(batched(curves, "elman"), partial(nets, "elman", n, T, count))


def spectrum(n: int, T: int, count: int, way: str = "ours") -> Found:
    """Time full spectra of a batch of tanh nets, factored at every step, by LU frames or by our QR."""
    method = {"ours": "lu", "our QR": "qr"}[way]

    def exponents(*net: Any) -> jax.Array:
        return rd.lyapunov_spectrum(*net, interval=1, method=method).exponents

    cpu = way == "ours" and n**3 * T * count <= MOST_ON_CPU
    found = timed(batched(exponents, "elman"), partial(nets, "elman", n, T, count), T, cpu)
    return found | {"problem": f"spectrum, n = {n}, {count} nets", "way": way}


def windows(n: int, T: int, count: int) -> Found:
    """Time full spectra with and without windows over time, and compare their exponents."""

    def exponents(windows: int, *net: Any) -> jax.Array:
        return rd.lyapunov_spectrum(*net, windows=windows).exponents

    found: Found = {}
    make = partial(nets, "elman", n, T, count)
    for name, chosen in (("with", T // 32), ("without", 1)):  # inside jit "auto" uses none
        function = batched(partial(_with_first, exponents, chosen), "elman")
        once = timed(function, make, cpu=False)
        found |= {f"{name}_first_s": once["first_s"], f"{name}_s": once["s"]}
        found[name] = function(*make())
    apart = float(jnp.max(jnp.abs(found.pop("with") - found.pop("without"))))
    return found | {"without_over_with": found["without_s"] / found["with_s"], "apart": apart}


def _with_first(function: Callable[..., Any], first: Any, *rest: Any) -> Any:
    return function(first, *rest)


def newton(n: int, T: int) -> Found:
    """Time all states of one net that is not chaotic, in parallel over time and one after the other."""
    step, *net = on_cpu(partial(problem, "elman", n, T))
    found: Found = {}
    states = {}
    unroll: Any = rd.unroll
    for name, options in (("newton", {"method": "newton"}), ("scan", {})):
        call = jax.jit(partial(unroll, step, **options))
        placed = jax.device_put(net, jax.devices()[0])
        found[f"{name}_first_s"], found[f"{name}_s"] = seconds(partial(call, *placed))
        states[name] = call(*placed)
    apart = float(jnp.max(jnp.abs(states["newton"] - states["scan"])))
    return found | {"scan_over_newton": found["scan_s"] / found["newton_s"], "apart": apart}


def updates(hidden: int, T: int, steps: int) -> Found:
    """Time updates of an LSTM on the adding problem; each call traces them again, as `fit` does."""
    return timed(training(hidden, T, steps), lambda: (jax.random.key(1),))


def diagnosis(hidden: int, T: int, sequences: int) -> Found:
    """Time the diagnosis of an LSTM with a loss at the last step, with the trial of its remedies."""

    def make() -> Any:
        _, params, h0, _ = problem("lstm", hidden, 1, gain=1.0)
        return params, h0, jax.random.normal(jax.random.key(1), (sequences, T, 1))

    def diagnosed(params: Any, h0: Any, xs: jax.Array) -> Any:
        def loss(states: Any, target: jax.Array) -> jax.Array:
            return (states.h[-1].mean() - target) ** 2

        return rd.diagnose(
            rd.cells.lstm.step, params, h0, xs, loss=loss, targets=xs[:, -T // 2, 0], horizon=T // 2
        ).evidence.log_norm

    return timed(diagnosed, make, most=1.0)


def peak(call: Callable[[], Any]) -> Found:
    """Return the most memory that the device held during a call, in a process that has done nothing before."""
    jax.block_until_ready(call())
    told = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" not in told:
        return {"peak_mib": None, "note": "this device does not tell"}
    return {"peak_mib": told["peak_bytes_in_use"] / 2**20, "limit_mib": told.get("bytes_limit", 0) / 2**20}


def peak_of_flow(n: int, T: int, count: int) -> Found:
    """Return the peak memory of a gradient flow."""
    return peak(lambda: batched(lambda *net: rd.gradient_flow(*net).log_norm, "elman")(*nets("elman", n, T, count)))


def peak_of_spectrum(n: int, T: int, count: int) -> Found:
    """Return the peak memory of full spectra."""
    exponents = batched(lambda *net: rd.lyapunov_spectrum(*net).exponents, "elman")
    return peak(lambda: exponents(*nets("elman", n, T, count)))


def peak_of_training(hidden: int, T: int) -> Found:
    """Return the peak memory of two updates of an LSTM."""
    return peak(lambda: training(hidden, T, 2)(jax.random.key(1)))
