"""Measure the spectra of Hénon and Lorenz by another package, in that package's own environment.

    PYTHON benchmarks/peer_spectra.py (lyapax|chaotax) (henon|lorenz) steps

prints the seconds of the first call, the median of the next ones, and the exponents. It imports nothing of ours.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

DT = 0.01


def henon(h: jax.Array) -> jax.Array:
    """Return the next point of the Hénon map."""
    return jnp.stack([1 - 1.4 * h[0] ** 2 + h[1], 0.3 * h[0]])


def lorenz(h: jax.Array) -> jax.Array:
    """Return the point after one step of RK4."""
    k1 = _flow(h)
    k2 = _flow(h + DT / 2 * k1)
    k3 = _flow(h + DT / 2 * k2)
    k4 = _flow(h + DT * k3)
    return h + DT / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _flow(h: jax.Array) -> jax.Array:
    x, y, z = h
    return jnp.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])


SYSTEMS: dict[str, tuple[Callable[[jax.Array], jax.Array], list[float]]] = {
    "henon": (henon, [0.1, 0.1]),
    "lorenz": (lorenz, [1.0, 1.0, 20.0]),
}


def measurement(package: str, system: str, steps: int) -> Callable[[], Any]:
    """Return a call that measures all exponents in nats per step."""
    step, first = SYSTEMS[system]
    state = jnp.array(first)
    if package == "lyapax":
        import lyapax

        measure = jax.jit(lambda h: lyapax.lyapunov_spectrum(step, h, 1.0, steps).exponents)
        return lambda: measure(state)
    import chaotax

    options = {"rollout_steps": steps, "warmup_steps": 0, "discard_steps": 0}
    measure = chaotax.lyapunov_spectrum(step, **options)  # it cannot be jitted
    return lambda: measure(state, jnp.eye(len(first)))


def main() -> None:
    """Print the times and the exponents."""
    jax.config.update("jax_enable_x64", True)
    package, system, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    jax.block_until_ready(jnp.zeros(3) + 1)  # JAX itself has started
    times = []
    call = None
    for _ in range(8):
        start = time.perf_counter()
        call = call or measurement(package, system, steps)
        found = jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    print(times[0], sorted(times[1:])[3], *map(float, found))


if __name__ == "__main__":
    main()
