"""One contract, every registered cell: shapes, purity, jit, vmap, derivatives, one unit, no input, one compilation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd

VARIANTS = {
    "elman_relu": rd.cells.make_elman("relu"),
    "elman_leaky_softplus": rd.cells.make_elman("softplus", leak=0.5),
    "elman_erf": rd.cells.make_elman("erf"),
    "elman_identity": rd.cells.make_elman("identity"),
    "rate_leaky": rd.cells.make_rate("tanh", delta=0.1),
    "rate_flow": rd.cells.make_rate_flow(0.05),
    "gru_replace_after": rd.cells.make_gru("replace", "after"),
    "orthogonal_relu": rd.cells.make_orthogonal("relu"),
    "projected_lstm": rd.cells.projected_lstm,
    "stack": rd.cells.stack(rd.cells.lstm, rd.cells.lru, rd.cells.gru),
}
CELLS = rd.cells.CELLS | VARIANTS
SIZES = [(0, 1), (0, 4), (1, 1), (3, 1), (3, 4), (2, 5)]


def every_cell(test):
    cases = [
        pytest.param(cell, id=name, marks=pytest.mark.slow if name in VARIANTS and name != "stack" else ())
        for name, cell in CELLS.items()
    ]
    return pytest.mark.parametrize("cell", cases)(test)


def problem(cell, key, inputs=3, hidden=4, dtype=None):
    """Parameters, a state off zero and an input."""
    keys = jax.random.split(key, 3)
    params = cell.init(keys[0], inputs=inputs, hidden=hidden, gain=1.2, dtype=dtype)
    zero = cell.initial_state(params)
    state = random_like(zero, keys[1])
    x = jax.random.normal(keys[2], (inputs,), dtype) if inputs else None
    return params, state, x


def random_like(tree, key):
    """A random direction in the space of the tree; the scales `gain` are no weights and stay where they are."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    keys = jax.random.split(key, len(leaves))
    fixed = [getattr(path[-1], "name", None) == "gain" if path else False for path, _ in leaves]
    values = [
        jnp.zeros_like(leaf) if still else jax.random.normal(k, leaf.shape, leaf.dtype)
        for (_, leaf), k, still in zip(leaves, keys, fixed, strict=True)
    ]
    return jax.tree.unflatten(structure, values)


def avals(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), tree)


def inner(left, right):
    """The real inner product of two trees, complex leaves counted as real pairs."""
    products = jax.tree.map(lambda a, b: jnp.sum(a.real * b.real) + jnp.sum(jnp.imag(a) * jnp.imag(b)), left, right)
    return sum(jax.tree.leaves(products))


@every_cell
@pytest.mark.parametrize(("inputs", "hidden"), SIZES)
def test_a_step_keeps_the_kind_of_state(cell, inputs, hidden, dtype, key):
    """Shapes, dtypes and weak types alone: nothing is computed, so all sizes are cheap."""

    def once(key):
        params, _, x = problem(cell, key, inputs, hidden, dtype)
        state = cell.initial_state(params)
        after = cell.step(params, state, x)
        return params, state, after, cell.output(after)

    params, state, after, shown = jax.eval_shape(once, key)
    assert all(jnp.finfo(leaf.dtype).dtype == dtype for leaf in jax.tree.leaves((params, state)))
    assert avals(after) == avals(state)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert shown.ndim == 1
    assert shown.dtype == dtype


@every_cell
def test_the_initial_state_is_zero_and_the_next_one_finite(cell, key):
    params, _, x = problem(cell, key)
    state = cell.initial_state(params)
    assert not any(leaf.any() for leaf in jax.tree.leaves(state))
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.jit(cell.step)(params, state, x)))


@every_cell
def test_jit_and_repetition_change_nothing(cell, key):
    params, state, x = problem(cell, key)
    copies = jax.tree.map(jnp.copy, (params, state, x))
    first = cell.step(params, state, x)
    for again in (cell.step(params, state, x), jax.jit(cell.step)(params, state, x)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15), again, first)
    jax.tree.map(np.testing.assert_array_equal, (params, state, x), copies)


@every_cell
def test_vmap_over_states_and_over_parameters(cell, key):
    keys = jax.random.split(key, 5)
    many = jax.vmap(lambda k: problem(cell, k))(keys)
    batched = jax.vmap(cell.step)(*many)
    for i in range(5):
        alone = cell.step(*jax.tree.map(lambda leaf, i=i: leaf[i], many))
        row = jax.tree.map(lambda leaf, i=i: leaf[i], batched)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), row, alone)
    zeros = jax.vmap(cell.initial_state)(many[0])
    assert all(leaf.shape[0] == 5 and not leaf.any() for leaf in jax.tree.leaves(zeros))


@every_cell
@pytest.mark.parametrize(("inputs", "hidden"), [(3, 4), pytest.param(0, 1, marks=pytest.mark.slow)])
def test_derivatives_agree_with_finite_differences(cell, inputs, hidden, key):
    point = problem(cell, key, inputs, hidden)
    key_direction, key_weights = jax.random.split(key)
    direction = random_like(point, key_direction)

    @jax.jit
    def along(t):
        return cell.step(*jax.tree.map(lambda p, d: p + t * d, point, direction))

    after, tangent = jax.jit(lambda point, direction: jax.jvp(cell.step, point, direction))(point, direction)
    # fourth-order central difference: error near 1e-12 with eps = 1e-3 for smooth steps, and flat ones stay flat
    eps = 1e-3
    differences = jax.tree.map(
        lambda a, b, c, d: (8 * (b - c) - (a - d)) / (12 * eps),
        along(2 * eps),
        along(eps),
        along(-eps),
        along(-2 * eps),
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9), tangent, differences)

    weights = random_like(after, key_weights)
    gradient = jax.jit(jax.grad(lambda point: inner(weights, cell.step(*point))))(point)
    # JAX's gradient of a real function of a complex leaf is the conjugate of the real-pair gradient
    gradient = jax.tree.map(jnp.conj, gradient)
    np.testing.assert_allclose(inner(gradient, direction), inner(weights, tangent), rtol=1e-10, atol=1e-12)


@every_cell
def test_one_compilation_for_any_number_of_draws(cell, key, compilations):
    step = jax.jit(lambda *point: cell.step(*point))  # a function that no other test has compiled
    problems = [problem(cell, k) for k in jax.random.split(key, 4)]
    states = [cell.initial_state(params) for params, _, _ in problems]
    before = compilations.count
    for (params, state, x), zero in zip(problems, states, strict=True):
        after = step(params, zero, x)
        step(params, state, x)
        step(params, after, x)
    assert compilations.count - before == 1


@every_cell
def test_gain_scales_the_recurrence_and_may_be_traced(cell, key):
    draw = jax.jit(lambda gain: cell.init(key, inputs=2, hidden=4, gain=gain))
    one, two = jax.tree.leaves(draw(1.0)), jax.tree.leaves(draw(2.0))
    changed = [(np.asarray(a), np.asarray(b)) for a, b in zip(one, two, strict=True) if (np.asarray(a) != b).any()]
    assert changed
    for before, after in changed:
        np.testing.assert_allclose(after, 2 * before, rtol=1e-15)


def test_gain_doubles_just_the_recurrent_matrix(key):
    one, two = (rd.cells.elman.init(key, inputs=2, hidden=4, gain=gain) for gain in (1.0, 2.0))
    np.testing.assert_array_equal(2 * one.W, two.W)
    np.testing.assert_array_equal(one.U, two.U)


@every_cell
def test_prepared_parameters_mean_the_same_step_and_the_same_gradient(cell, key):
    params, state, x = problem(cell, key)
    prepared = cell.prepare(params)
    plain, fast = cell.step(params, state, x), cell.step(prepared, state, x)
    assert avals(cell.initial_state(prepared)) == avals(cell.initial_state(params))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), plain, fast)

    def size(p, prepare):
        return inner(*[cell.step(cell.prepare(p) if prepare else p, state, x)] * 2)

    each, once = (jax.grad(size)(params, prepare) for prepare in (False, True))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), each, once)
