"""Faults in the imports from Flax, Equinox, Haiku and Keras, and in the way back."""

from .fault import Fault

FLAX = "interop/test_flax.py::test"
EQUINOX = "interop/test_equinox.py::test"
HAIKU = "interop/test_haiku.py::test"
KERAS = "interop/test_keras.py::test"
MISTAKES = "interop/test_mistakes.py::test"

FRAMEWORKS = [
    Fault(
        "bias-left-over",
        "interop/named_arrays.py",
        "            if others:\n",
        "            if not others and others:\n",
        f"{EQUINOX}_arrays_are_verified_if_recorded",
    ),
    Fault(
        "tanh-assumed-unsaid",
        "interop/keras_layers.py",
        '"tanh assumed" if vanilla and activation is None',
        '"tanh assumed" if not vanilla and activation is None',
        f"{KERAS}_arrays_say_what_they_are_or_are_asked",
    ),
    Fault(
        "flax-transposed",
        "interop/flax_arrays.py",
        "[np.asarray(arrays[name]).T for name in names]",
        "[np.asarray(arrays[name]) for name in names]",
        f"{FLAX}_linen_cells_equal_ours[LSTMCell]",
    ),
    Fault(
        "flax-bias-order",
        "interop/flax_arrays.py",
        'lstm_layer(W, U, _joined(arrays, [f"h{gate}/bias" for gate in "ifgo"]), "ifgo")',
        'lstm_layer(W, U, _joined(arrays, [f"h{gate}/bias" for gate in "figo"]), "ifgo")',
        f"{FLAX}_linen_cells_equal_ours[OptimizedLSTMCell]",
    ),
    Fault(
        "flax-nnx-gru-order",
        "interop/flax_arrays.py",
        'gru_layer(W, U, used, None, "rzn")',
        'gru_layer(W, U, used, None, "zrn")',
        f"{FLAX}_nnx_cells_equal_ours[GRUCell]",
    ),
    Fault(
        "flax-residual",
        "interop/flax_arrays.py",
        "if residual:",
        "if not residual:",
        f"{FLAX}_linen_cells_equal_ours[SimpleCell-residual]",
    ),
    Fault(
        "flax-carry-order",
        "interop/flax_cells.py",
        "return (state.c, state.h)",
        "return (state.h, state.c)",
        f"{FLAX}_nnx_cells_equal_ours[LSTMCell]",
    ),
    Fault(
        "flax-reverse",
        "interop/flax_cells.py",
        "if is_rnn and module.reverse:",
        "if False:",
        f"{FLAX}_what_our_cells_do_not_have_is_refused_with_the_reason",
    ),
    Fault(
        "equinox-bias-n",
        "interop/equinox_cells.py",
        'gru_layer(W, U, b, arrays.get("bias_n"), "rzn")',
        'gru_layer(W, U, b, None, "rzn")',
        f"{EQUINOX}_cells_equal_ours[GRUCell-True]",
    ),
    Fault(
        "haiku-forget-bias",
        "interop/haiku_cores.py",
        "b[2 * units : 3 * units] += 1",
        "b[2 * units : 3 * units] += 0",
        f"{HAIKU}_cores_equal_ours[LSTM]",
    ),
    Fault(
        "haiku-lstm-order",
        "interop/haiku_cores.py",
        'kernel[:, :inputs], b, "igfo")',
        'kernel[:, :inputs], b, "ifgo")',
        f"{HAIKU}_cores_equal_ours[LSTM]",
    ),
    Fault(
        "haiku-update",
        "interop/haiku_cores.py",
        'update="replace", reset="before"',
        'update="keep", reset="before"',
        f"{HAIKU}_cores_equal_ours[GRU]",
    ),
    Fault(
        "keras-one-bias",
        "interop/keras_layers.py",
        "summed(b[0, :split], b[1, :split])",
        "b[0, :split]",
        f"{KERAS}_layers_equal_ours[GRU]",
    ),
    Fault(
        "keras-stateful",
        "interop/keras_layers.py",
        "return_state=False, stateful=False)",
        "return_state=False)",
        f"{KERAS}_an_import_does_not_move_the_state_of_a_stateful_layer",
    ),
    Fault(
        "keras-activation",
        "interop/keras_layers.py",
        '"activation", "tanh" if gated else None)',
        '"activation", None)',
        f"{KERAS}_what_our_cells_do_not_have_is_refused_with_the_reason",
    ),
    Fault(
        "keras-chain",
        "interop/keras_models.py",
        "if found is not below:",
        "if found is None:",
        f"{KERAS}_what_is_no_plain_chain_is_refused_and_named",
    ),
    Fault(
        "chain-by-letters",
        "interop/named_arrays.py",
        "return sorted(names, key=natural)\n\n\ndef _halves",
        "return sorted(names)\n\n\ndef _halves",
        f"{FLAX}_arrays_of_several_layers_are_a_chain_if_their_names_count",
    ),
    Fault(
        "live-not-run",
        "interop/layer_blocks.py",
        "return original.run(*jax.tree.map(lambda leaf: np.asarray(leaf, dtype), (states, xs)))",
        "from .verification import outputs_of\n            return outputs_of(cell, params, states, xs).values",
        f"{MISTAKES}_an_original_that_computes_something_else_is_refused",
    ),
    Fault(
        "live-recorded-ignored",
        "interop/layer_blocks.py",
        "source, recorded, eps=precision_of(original))",
        "source, None, eps=precision_of(original))",
        f"{EQUINOX}_arrays_are_verified_if_recorded",
    ),
    Fault(
        "export-update",
        "interop/our_cells.py",
        "update=Affine(-W, -U, None if b is None else -b)",
        "update=Affine(-W, -U, b)",
        f"{EQUINOX}_there_and_back",
    ),
    Fault(
        "export-forget-bias",
        "interop/haiku_export.py",
        "b[2 * layer.units : 3 * layer.units] -= 1",
        "b[layer.units : 2 * layer.units] -= 1",
        f"{HAIKU}_there_and_back",
    ),
]
