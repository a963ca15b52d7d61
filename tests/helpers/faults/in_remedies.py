"""Faults in remedies, and in what clipping, truncation and a backward pass would take."""

from .fault import Fault

SIGNS, CLIPPING = "diagnosis/vital_signs.py", "diagnosis/clipping.py"
TRUNCATION, MEMORY = "diagnosis/truncation.py", "diagnosis/memory.py"
GATES, WEIGHTS, TABLE = "diagnosis/gate_bias.py", "diagnosis/recurrent_weights.py", "diagnosis/remedies.py"
CHANGES = "diagnosis/changes.py"

REMEDIES = [
    Fault(
        "signs-first-window",
        SIGNS,
        "    last = T - horizon\n",
        "    last = 0\n",
        "diagnosis/test_vital_signs.py::test_the_window_is_the_last_one_of_a_sequence",
    ),
    Fault(
        "signs-lose-the-scale",
        SIGNS,
        "        return (frame, scale + log, product), None",
        "        return (frame, scale, product), None",
        "diagnosis/test_vital_signs.py::test_a_diagonal_net",
    ),
    Fault(
        "signs-frame-not-turned",
        SIGNS,
        "        frame = by_qr(jax.lax.scan(forward, starting_frame(h0, k, None), at)[0]).frame\n",
        "        frame = starting_frame(h0, k, None)\n",
        "diagnosis/test_vital_signs.py::test_more_columns_than_a_frame_holds",
    ),
    Fault(
        "signs-c-not-squashed",
        SIGNS,
        "[jnp.tanh(part.c)] if isinstance",
        "[part.h] if isinstance",
        "diagnosis/test_vital_signs.py::test_of_an_lstm_the_memory_saturates",
    ),
    Fault(
        "bias-sign-ignored",
        GATES,
        "bias = jnp.asarray(sign * fill(",
        "bias = jnp.asarray(fill(",
        "diagnosis/test_remedies.py::test_chrono",
    ),
    Fault(
        "chrono-leaves-inputs-open",
        GATES,
        "node.input._replace(b=-bias)",
        "node.input._replace(b=bias)",
        "diagnosis/test_remedies.py::test_chrono",
    ),
    Fault(
        "chrono-one-step-longer",
        GATES,
        "np.log(1 + (longest - 2) * places)",
        "np.log(1 + (longest - 1) * places)",
        "diagnosis/test_remedies.py::test_chrono",
    ),
    Fault(
        "bias-of-the-lag",
        CHANGES,
        "params = with_gate_bias(params, layer.place, fill, needed, sign=layer.sign, inputs=inputs)",
        "params = with_gate_bias(params, layer.place, fill, problem.horizon, sign=layer.sign, inputs=inputs)",
        "diagnosis/test_remedies.py::test_the_horizon_may_be_longer_than_the_sequences",
    ),
    Fault(
        "helps-although-it-explodes",
        TABLE,
        "    return closer and not explodes and not saturates\n",
        "    return closer and not saturates\n",
        "diagnosis/test_remedies.py::test_when_a_remedy_helps",
    ),
    Fault(
        "helps-if-it-is-larger",
        TABLE,
        'abs(before["log_gradient"]), abs(after["log_gradient"])',
        '-before["log_gradient"], -after["log_gradient"]',
        "diagnosis/test_remedies.py::test_when_a_remedy_helps",
    ),
    Fault(
        "worst-first",
        TABLE,
        "    return not remedy.helps, max(0.0, left - FULL) if",
        "    return remedy.helps, max(0.0, left - FULL) if",
        "diagnosis/test_remedies.py::test_the_best_comes_first",
    ),
    Fault(
        "orthogonal-transposed",
        WEIGHTS,
        "    return U @ Vt\n",
        "    return Vt @ U\n",
        "diagnosis/test_remedies.py::test_orthogonal_matrices_keep_a_linear_gradient",
    ),
    Fault(
        "gain-of-foreign-matrices",
        WEIGHTS,
        "    if name is None or (name",
        "    if name is None and hasattr(node, 'shape') and _square(node):\n        return factor * node\n"
        "    if name is None or (name",
        "diagnosis/test_remedies.py::test_known_parameters_inside_a_tree_of_others",
    ),
    Fault(
        "clipped-means-of-norms",
        CLIPPING,
        "limit / size) if size",
        "limit) if size",
        "diagnosis/test_clipping.py::test_clipping_by_norm_turns_the_mean_but_no_gradient",
    ),
    Fault(
        "clips-the-other-share",
        CLIPPING,
        "np.quantile(sizes, 1 - share)",
        "np.quantile(sizes, share)",
        "diagnosis/test_clipping.py::test_the_limit_clips_the_stated_share",
    ),
    Fault(
        "values-clipped-from-below-only",
        CLIPPING,
        "np.clip(g, -value_limit, value_limit)",
        "np.maximum(g, -value_limit)",
        "diagnosis/test_clipping.py::test_clipping_by_value_turns_gradients",
    ),
    Fault(
        "window-one-too-long",
        TRUNCATION,
        "(times[None] - k < lengths[:, None])",
        "(times[None] - k <= lengths[:, None])",
        "diagnosis/test_truncation.py::test_a_loss_at_the_end",
    ),
    Fault(
        "shortest-before-a-worse-one",
        TRUNCATION,
        "np.logical_and.accumulate(within[::-1])[::-1]",
        "within",
        "diagnosis/test_truncation.py::test_a_bias_that_returns",
    ),
    Fault(
        "bias-of-single-sequences",
        TRUNCATION,
        "jnp.mean(leaf, axis=0), jax.vmap(of_sequence)",
        "leaf[0], jax.vmap(of_sequence)",
        "diagnosis/test_truncation.py::test_gradients_of_sequences_that_cancel",
    ),
    Fault(
        "memory-of-shared-residuals",
        MEMORY,
        "[False] * count + [True]",
        "[True] * count + [True]",
        "diagnosis/test_memory.py::test_a_linear_net_by_hand",
    ),
    Fault(
        "memory-without-the-gradients-of-states",
        MEMORY,
        "    shown = 2 * _bytes(read)",
        "    shown = _bytes(read)",
        "diagnosis/test_memory.py::test_the_bytes_of_a_step_are_those_that_xla_reserves",
    ),
    Fault(
        "memory-does-not-look-into-jit",
        MEMORY,
        "if line.primitive.name in CALLS else None",
        "if False else None",
        "diagnosis/test_memory.py::test_what_only_the_parameters_decide_is_kept_once",
    ),
]
