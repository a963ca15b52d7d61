"""Call every public function on fixed inputs and compare the numbers bit for bit: for changes that only move code.

    python tests/compare_numbers.py write before.npz      at the old commit
    python tests/compare_numbers.py compare before.npz    at the new one

It names the arrays that differ, and by how much.
"""

import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import rnn_dynamics as rd
from rnn_dynamics import train

KEY = jax.random.key(0)
T, HIDDEN, INPUTS = 30, 5, 2


def measured() -> Iterator[tuple[str, Any]]:
    """The name of each call and what it returns."""
    yield from of_cells()
    yield from of_matrices()
    yield from of_theory()
    yield from of_training()
    yield from of_sweeps()


def of_cells() -> Iterator[tuple[str, Any]]:
    for name, cell in rd.cells.CELLS.items():
        params = cell.init(KEY, inputs=INPUTS, hidden=HIDDEN + name.count("orthogonal"), gain=1.3)
        h0 = jax.tree.map(lambda leaf: leaf + 0.1, cell.initial_state(params))
        xs = jax.random.normal(KEY, (T, INPUTS))
        given = cell.step, params, h0, xs

        def loss(states: Any, cell: Any = cell) -> jax.Array:
            return jnp.sum(jnp.abs(jax.vmap(cell.output)(states)) ** 2)

        def loss_t(state: Any, cell: Any = cell) -> jax.Array:
            return jnp.sum(jnp.abs(cell.output(state)) ** 2)

        yield f"{name} init", params
        yield f"{name} unroll", rd.unroll(*given)
        yield f"{name} unroll in pieces", rd.unroll(*given, keep_every=7)
        yield f"{name} step_jacobian", rd.step_jacobian(cell.step, params, h0, xs[0])
        yield f"{name} step_jacobians", rd.step_jacobians(*given)
        yield f"{name} jacobian_product", tuple(rd.jacobian_product(*given))
        yield f"{name} gradient_flow", tuple(rd.gradient_flow(*given))
        yield f"{name} gradient_flow anchors", tuple(rd.gradient_flow(*given, anchors=(20, T), lags=9))
        yield f"{name} gradient_flow directions", tuple(rd.gradient_flow(*given, directions=3, key=KEY))
        yield f"{name} lyapunov_spectrum", tuple(rd.lyapunov_spectrum(*given))
        yield f"{name} lyapunov_spectrum qr", tuple(rd.lyapunov_spectrum(*given, method="qr", interval=1, k=2))
        yield f"{name} largest_exponent", tuple(rd.largest_exponent(*given, key=KEY))
        yield f"{name} covariant_vectors", tuple(rd.covariant_vectors(*given, frame_burn_in=5, tail=5, k=2))
        yield f"{name} parallel_states", tuple(rd.parallel_states(*given))
        yield f"{name} log_singular_values", rd.log_singular_values(*given)
        yield f"{name} state_gradients", rd.state_gradients(*given, loss)
        yield f"{name} rtrl", rd.rtrl(*given, loss_t)
        table = rd.gradient_contributions(*given, loss)
        yield f"{name} gradient_contributions", tuple(table)
        yield f"{name} truncation_bias", rd.truncation_bias(table)
        yield f"{name} parameter_gradient", rd.parameter_gradient(*given, loss, window=4)
        yield f"{name} jacobian_eigenvalues", rd.eigen.jacobian_eigenvalues(*given)
    yield (
        "attractor",
        [
            rd.kaplan_yorke_dimension(jnp.array([0.9, 0.0, -14.6])),
            rd.entropy_rate(jnp.array([0.9, 0.0, -14.6])),
            rd.participation_ratio(jax.random.normal(KEY, (20, 4))),
            rd.log_mean_square(jnp.array([1.0, -2.0])),
        ],
    )


def of_matrices() -> Iterator[tuple[str, Any]]:
    W = jax.random.normal(KEY, (6, 6)) / 6**0.5
    for name in rd.eigen.__all__:
        function = getattr(rd.eigen, name)
        if isinstance(function, type) or name == "jacobian_eigenvalues":
            continue
        if name == "circular_law":
            yield name, function(jnp.linspace(0, 1, 5))
        elif name == "pseudospectrum":
            yield name, function(W, jnp.linspace(-1, 1, 7) + 0.5j)
        elif name in ("power", "power_norms", "log_power_norms", "eigen_power", "transient_growth"):
            yield name, jax.tree.leaves(function(W, 9))
        else:
            yield name, function(W)
    for name in ("gaussian", "identity", "orthogonal", "uniform"):
        yield f"initializer {name}", getattr(rd.cells.initializers, name)(KEY, 6)
    xs = jnp.linspace(-3, 3, 13)
    for name in rd.cells.activations.__all__:
        function = getattr(rd.cells.activations, name)
        if callable(function):
            yield f"activation {name}", function(xs)


def of_theory() -> Iterator[tuple[str, Any]]:
    theory = rd.theory
    for name in ("largest_exponent", "mean_exponent", "mean_square_growth", "stationary_variance"):
        yield name, getattr(theory, name)(1.4, bias_variance=0.01)
    yield "edge_of_order", theory.edge_of_order(0.1)
    yield "gaussian_product_exponents", theory.gaussian_product_exponents(5)
    yield "gaussian_product_stderr", theory.gaussian_product_stderr(5, 100)
    yield "orthogonal_product_exponents", theory.orthogonal_product_exponents(5, scale=0.9)
    yield "share_of_exponents_below", theory.share_of_exponents_below(-1.0, 0.8)


def of_training() -> Iterator[tuple[str, Any]]:
    probes = {
        "flow": train.probes.gradient_flow(2),
        "radius": train.probes.spectral_radius(),
        "lyapunov": train.probes.lyapunov(examples=2),
        "gradients": train.probes.log_state_gradients(2),
    }
    penalties = (train.flossing(0.1, k=2, examples=2), train.soft_orthogonality(0.1), train.norm_preserving(0.1))
    for name, cell in (("elman", rd.cells.elman), ("gru", rd.cells.gru)):
        settings: Any = {"key": KEY, "updates": 6, "hidden": 4, "batch": 5}
        task, looks = train.tasks.adding(8), train.Evaluation(3, 6, probes=probes)
        yield f"fit {name}", jax.tree.leaves(train.fit(cell, task, optax.adam(1e-2), **settings, evaluation=looks))
        optimizer = optax.chain(train.clip_by_norm(0.1), optax.sgd(0.1), train.project_spectral_radius(0.9))
        settings |= {"evaluation": train.Evaluation(3, 6), "unrolling": train.Unrolling(truncate=4, clip_each_step=0.5)}
        found = train.fit(cell, task, optimizer, **settings, penalties=penalties)
        yield f"fit {name} with interventions", jax.tree.leaves(found)
    for name in train.tasks.TASKS:
        example = train.tasks.TASKS[name]().sample(KEY)
        yield f"task {name}", jax.tree.leaves(example)


def of_sweeps() -> Iterator[tuple[str, Any]]:
    def measure(key: Any, gain: Any, hidden: int) -> dict[str, Any]:
        W = gain * jax.random.normal(key, (hidden, hidden))
        return {"radius": rd.eigen.spectral_radius(W), "W": W}

    grid = {"gain": np.linspace(0.5, 2, 4), "hidden": [2, 3]}
    found = rd.sweep(measure, grid, key=KEY, repeats=2, progress=False)
    yield "sweep", [found[name].values for name in ("radius", "W", "status")]


def arrays() -> dict[str, np.ndarray]:
    found = {}
    for name, result in measured():
        for i, leaf in enumerate(jax.tree.leaves(result)):
            array = jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
            found[f"{name} [{i}]"] = np.asarray(array)
    return found


def main(verb: str, path: str) -> int:
    """Write the numbers, or compare them with those of a file; returns how many arrays differ."""
    found = arrays()
    if verb == "write":
        np.savez(path, **found)
        print(f"{len(found)} arrays written")
        return 0
    before = dict(np.load(path))
    different = sorted(set(found) ^ set(before))
    for name in sorted(set(found) & set(before)):
        old, new = before[name], found[name]
        if old.shape != new.shape or old.dtype != new.dtype or old.tobytes() != new.tobytes():
            by = np.nanmax(np.abs(np.asarray(old) - new)) if old.shape == new.shape and old.size else "another shape"
            different.append(f"{name}: differs by {by}")
    print(*different, f"{len(found)} arrays compared, {len(different)} differ", sep="\n")
    return len(different)


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:3]), 1))
