"""Compare the first and later calls of each measurement with those of the naive program that a user would write.

    python -m benchmarks.first_call [measurement ...]

A first call is the whole time that a script waits: tracing, lowering, compiling and running. Each is timed in a process
of its own that has imported everything and computed something else before. Float32, n = 64 units, T = 200, one input.
`first` is our time over the naive program's, both medians of interleaved repetitions; `next` is the same for later
calls. `trace`, `lower` and `compile` are the seconds that our first call spends on each.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax

import rnn_dynamics as rd
from rnn_dynamics import train

from .timing import machine

N, T, REPETITIONS = 64, 200, 3
KEY = jax.random.key(0)


def problem(cell: str) -> Any:
    """Return a step with its parameters, state and inputs."""
    found = rd.cells.CELLS[cell]
    params = found.init(KEY, inputs=1, hidden=N, gain=1.0)
    return found.step, params, found.initial_state(params), jax.random.normal(KEY, (T, 1))


def flat(step: Any, params: Any, h0: Any) -> Any:
    """Return the state as a vector and the step as a map of vectors, as a user writes it before taking Jacobians."""
    vector, unravel = jax.flatten_util.ravel_pytree(h0)
    return vector, lambda v, x: jax.flatten_util.ravel_pytree(step(params, unravel(v), x))[0]


def naive_flow(step: Any, params: Any, h0: Any, xs: Any) -> Any:
    """Return a call that computes the norms of the products backwards from the end."""

    @jax.jit
    def run(params: Any, h0: Any, xs: Any) -> Any:
        v, f = flat(step, params, h0)
        before = jax.lax.scan(lambda v, x: (f(v, x), v), v, xs)[1]

        def back(P: Any, at: Any) -> Any:
            P = P @ jax.jacfwd(f)(*at)
            return P, jnp.log(jnp.linalg.norm(P, 2))

        return jax.lax.scan(back, jnp.eye(v.size), (before, xs), reverse=True)[1]

    return partial(run, params, h0, xs)


def naive_spectrum(step: Any, params: Any, h0: Any, xs: Any) -> Any:
    """Return a call that takes a QR decomposition at every step."""

    @jax.jit
    def run(params: Any, h0: Any, xs: Any) -> Any:
        v, f = flat(step, params, h0)

        def advance(carry: Any, x: Any) -> Any:
            v, Q = carry
            Q, R = jnp.linalg.qr(jax.jacfwd(f)(v, x) @ Q)
            return (f(v, x), Q), jnp.log(jnp.abs(jnp.diagonal(R)))

        return jax.lax.scan(advance, (v, jnp.eye(v.size)), xs)[1].mean(axis=0)

    return partial(run, params, h0, xs)


def naive_largest(step: Any, params: Any, h0: Any, xs: Any) -> Any:
    """Return a call that pushes one tangent vector and normalises it at every step."""

    @jax.jit
    def run(params: Any, h0: Any, xs: Any) -> Any:
        v, f = flat(step, params, h0)

        def advance(carry: Any, x: Any) -> Any:
            v, u = carry
            v, u = jax.jvp(lambda v: f(v, x), (v,), (u,))
            size = jnp.linalg.norm(u)
            return (v, u / size), jnp.log(size)

        return jax.lax.scan(advance, (v, jnp.full(v.size, v.size**-0.5)), xs)[1].mean()

    return partial(run, params, h0, xs)


def naive_singular_values(step: Any, params: Any, h0: Any, xs: Any) -> Any:
    """Return a call that decomposes the plain product, correct while it neither overflows nor loses rank."""

    @jax.jit
    def run(params: Any, h0: Any, xs: Any) -> Any:
        v, f = flat(step, params, h0)

        def advance(carry: Any, x: Any) -> Any:
            v, P = carry
            return (f(v, x), jax.jacfwd(f)(v, x) @ P), None

        (_, P), _ = jax.lax.scan(advance, (v, jnp.eye(v.size)), xs)
        return jnp.log(jnp.linalg.svd(P, compute_uv=False))

    return partial(run, params, h0, xs)


def naive_covariant(step: Any, params: Any, h0: Any, xs: Any) -> Any:
    """Return a call that makes Ginelli's two passes with everything stored."""

    @jax.jit
    def run(params: Any, h0: Any, xs: Any) -> Any:
        v, f = flat(step, params, h0)

        def advance(carry: Any, x: Any) -> Any:
            v, Q = carry
            new, R = jnp.linalg.qr(jax.jacfwd(f)(v, x) @ Q)
            return (f(v, x), new), (Q, R)

        def back(c: Any, at: Any) -> Any:
            Q, R = at
            c = jax.scipy.linalg.solve_triangular(R, c)
            sizes = jnp.linalg.norm(c, axis=0)
            return c / sizes, (Q @ (c / sizes), -jnp.log(sizes))

        _, frames = jax.lax.scan(advance, (v, jnp.eye(v.size)), xs)
        return jax.lax.scan(back, jnp.eye(v.size), frames, reverse=True)[1]

    return partial(run, params, h0, xs)


def naive_training(cell: str) -> Any:
    """Return a call that makes ten updates on the adding problem in a plain loop over a jitted update."""
    found, adam, task = rd.cells.CELLS[cell], optax.adam(1e-3), train.tasks.adding(T)

    def loss(net: Any, key: Any) -> Any:
        params, V = net
        examples = jax.vmap(task.sample)(jax.random.split(key, 64))

        def answer(xs: Any) -> Any:
            states = jax.lax.scan(lambda h, x: (found.step(params, h, x),) * 2, found.initial_state(params), xs)[1]
            return found.output(jax.tree.map(lambda leaf: leaf[-1], states)) @ V

        return jnp.mean((jax.vmap(answer)(examples.xs) - examples.targets[:, -1, 0]) ** 2)

    @jax.jit
    def update(net: Any, state: Any, key: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(net, key)
        updates, state = adam.update(gradient, state, net)
        return optax.apply_updates(net, updates), state, value

    def run() -> Any:
        net = (found.init(KEY, inputs=2, hidden=N), jnp.zeros(N))
        state = adam.init(net)
        for i in range(10):
            net, state, value = update(net, state, jax.random.fold_in(KEY, i))
        return value

    return run


def our_training(cell: str) -> Any:
    """Return a call that does the same with `train.fit`, which also evaluates the net before and after."""
    adam, task = optax.adam(1e-3), train.tasks.adding(T)
    settings: Any = {"key": KEY, "updates": 10, "hidden": N, "batch": 64, "evaluation": train.Evaluation(10, 64)}
    return lambda: train.fit(rd.cells.CELLS[cell], task, adam, **settings).loss


OURS: dict[str, Callable[..., Any]] = {
    "gradient_flow": rd.gradient_flow,
    "lyapunov_spectrum": rd.lyapunov_spectrum,
    "largest_exponent": partial(rd.largest_exponent, key=KEY),
    "log_singular_values": rd.log_singular_values,
    "covariant_vectors": partial(rd.covariant_vectors, frame_burn_in=50, tail=50),
}
NAIVE = {
    "gradient_flow": naive_flow,
    "lyapunov_spectrum": naive_spectrum,
    "largest_exponent": naive_largest,
    "log_singular_values": naive_singular_values,
    "covariant_vectors": naive_covariant,
}
WANTED = {
    "gradient_flow elman": 3, "gradient_flow lstm": 3, "lyapunov_spectrum elman": 2.5, "lyapunov_spectrum lstm": 2,
}  # fmt: skip
NAMES = (*OURS, "train.fit")
EVENTS = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lower",
    "/jax/core/compile/backend_compile_duration": "compile",
}


def one(who: str, name: str, cell: str) -> None:
    """Time one program in this process and print the times."""
    jax.block_until_ready((*jnp.linalg.qr(jax.random.normal(KEY, (9, 9))), jnp.ones(3) @ jnp.ones(3)))
    if name == "train.fit":
        call = {"ours": our_training, "naive": naive_training}[who](cell)
    else:
        net = problem(cell)
        call = partial(OURS[name], *net) if who == "ours" else NAIVE[name](*net)
    spent = dict.fromkeys(EVENTS.values(), 0.0)

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event in EVENTS:
            spent[EVENTS[event]] += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
        if len(times) == 1:
            first = dict(spent)
    print(json.dumps({"first": times[0], "next": float(np.median(times[1:]))} | first))


def row(name: str, cell: str) -> str:
    """Time one measurement of one cell and return its row."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XLA_"))}
    found: dict[str, list[dict[str, float]]] = {"ours": [], "naive": []}
    for _ in range(REPETITIONS):
        for who in found:
            command = [sys.executable, "-m", "benchmarks.first_call", "--one", who, name, cell]
            output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
            found[who].append(json.loads(output.splitlines()[-1]))
    median = {
        who: {key: float(np.median([run[key] for run in runs])) for key in runs[0]} for who, runs in found.items()
    }
    ours, naive = median["ours"], median["naive"]
    wanted = WANTED.get(f"{name} {cell}", 3)
    numbers = (ours["first"] / naive["first"], wanted, ours["next"] / naive["next"])
    seconds = (naive["first"], ours["first"], ours["trace"], ours["lower"], ours["compile"])
    milliseconds = (1000 * naive["next"], 1000 * ours["next"])
    return f"{name + ', ' + cell:<28}" + "".join(f"{number:10.2f}" for number in (*numbers, *seconds, *milliseconds))


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        return one(*sys.argv[2:])
    print(f"{machine()}, float32, n = {N}, T = {T}; medians of {REPETITIONS} processes")
    print("first, next: our time over the naive one; wanted: the limit for first; then seconds, and ms of later calls")
    names = ("first", "wanted", "next", "naive s", "ours s", "trace", "lower", "compile", "naive ms", "ours ms")
    print(f"{'':<28}" + "".join(f"{name:>10}" for name in names))
    for name in sys.argv[1:] or NAMES:
        for cell in ("elman", "lstm"):
            print(row(name, cell), flush=True)
    return None


if __name__ == "__main__":
    main()
