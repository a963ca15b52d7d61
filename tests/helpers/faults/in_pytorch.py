"""Faults in the import of PyTorch's layers, in verification, and in the reading of files."""

from .fault import Fault

RECORDED = "interop/test_torch_recorded.py::test_outputs_and_jacobians_are_those_of_pytorch"
TWO_WAYS = "interop/test_torch_recorded.py::test_a_bidirectional_layer_is_two_nets"
MISTAKES = "interop/test_mistakes_torch.py::test_a_mistake_in_the_arrays_is_caught"
FILES = "interop/test_weight_files.py::test_a_hostile_file_ends_in_one_clear_line"
PARAMS, VERIFICATION, READER = "interop/pytorch_params.py", "interop/verification.py", "interop/weight_files.py"

PYTORCH = [
    Fault("torch-gru-gates", PARAMS, "reset=_affine(W[0], U[0]", "reset=_affine(W[1], U[0]", f"{RECORDED}[gru]"),
    Fault(
        "torch-gru-bias-outside",
        PARAMS,
        "candidate=_affine(W[2], U[2], b[2])",
        "candidate=_affine(W[2], U[2], _sum(b[2], c[2]))",
        f"{RECORDED}[gru]",
    ),
    Fault(
        "torch-gru-convention", PARAMS, 'make_gru("keep", "after")', 'make_gru("replace", "after")', f"{RECORDED}[gru]"
    ),
    Fault(
        "torch-one-bias",
        PARAMS,
        "first.astype(np.float64) + second.astype(np.float64)",
        "first.astype(np.float64)",
        f"{RECORDED}[lstm]",
    ),
    Fault("torch-relu", PARAMS, '"RNN": make_elman(activation)', '"RNN": make_elman("tanh")', f"{RECORDED}[rnn_relu]"),
    Fault(
        "torch-layers-reversed",
        PARAMS,
        "(stack(*[cell] * len(layers)), params)",
        "(stack(*[cell] * len(layers)), params[::-1])",
        f"{RECORDED}[gru_2_layers_square]",
    ),
    Fault(
        "torch-projected-gates",
        PARAMS,
        "ProjectedLSTMParams(input=i, forget=f, cell=g, output=o",
        "ProjectedLSTMParams(input=i, forget=f, cell=o, output=g",
        f"{RECORDED}[lstm_projected]",
    ),
    Fault(
        "torch-direction",
        "interop/pytorch.py",
        "(inputs[:, ::-1] if reverse else inputs)",
        "inputs",
        f"{TWO_WAYS}[gru_both_directions]",
    ),
    Fault(
        "import-shares-memory",
        "interop/arrays.py",
        "jnp.asarray(np.array(array, argument.floating(None)))",
        "jnp.asarray(np.asarray(array, argument.floating(None)))",
        "interop/test_torch_arrays.py::test_an_import_shares_no_memory_with_the_arrays",
    ),
    Fault(
        "torch-export-update",
        "interop/pytorch_export.py",
        'params = with_update(layer, "keep")',
        "params = layer.params",
        "interop/test_torch.py::test_there_and_back[gru replace-1-True]",
    ),
    Fault(
        "torch-training-mode",
        "interop/pytorch_live.py",
        'copy.deepcopy(module, memo).to(device="cpu", dtype=dtype).eval()',
        'module.to(device="cpu", dtype=dtype).eval()',
        "interop/test_torch.py::test_an_import_changes_nothing_of_the_module",
    ),
    Fault(
        "torch-wrapped-weights-out-of-date",
        "interop/pytorch_live.py",
        "            hook(part, ())\n",
        "            pass\n",
        "interop/test_torch.py::test_weights_of_the_older_wrappers_are_those_of_the_next_call",
    ),
    Fault(
        "torch-bias-left-over",
        "interop/pytorch.py",
        "    if others:\n",
        "    if not others and others:\n",
        "interop/test_torch_arrays.py::test_what_is_wrong_with_the_arrays_is_said",
    ),
    Fault(
        "verification-blind",
        VERIFICATION,
        "ROUNDING, ROUNDING_OF_16_BITS = 200",
        "ROUNDING, ROUNDING_OF_16_BITS = 10**6",
        MISTAKES,
    ),
    Fault(
        "verification-ignores",
        VERIFICATION,
        "if not excess[where] <= 1:",
        "if excess[where] == np.inf:",
        MISTAKES,
    ),
    Fault(
        "verification-one-step",
        VERIFICATION,
        "LEAST_RECORDED, MOST_RECORDED = 3, 20",
        "LEAST_RECORDED, MOST_RECORDED = 1, 1",
        f"{MISTAKES}",
    ),
    Fault(
        "files-unpickle",
        READER,
        'if dtype.kind not in "fiubc":',
        'if dtype.kind not in "fiubcOV":',
        FILES,
    ),
    Fault(
        "files-bombs",
        READER,
        "MOST_TIMES_UNPACKED, ALWAYS_UNPACKED = 20, 2**26",
        "MOST_TIMES_UNPACKED, ALWAYS_UNPACKED = 20, 2**40",
        FILES,
    ),
    Fault(
        "files-sizes",
        READER,
        "math.prod(shape) * dtype.itemsize != len(values)",
        "math.prod(shape) * dtype.itemsize > len(values)",
        FILES,
    ),
    Fault("files-way-out", READER, ' and ".." not in name.split("/")', "", FILES),
    Fault("files-names", READER, "if len({*names}) < len(names):", "if len({*names}) > len(names):", FILES),
    Fault(
        "files-in-any-order",
        READER,
        "    for name in names:\n        tensor =",
        "    for name in tensors:\n        tensor =",
        "interop/test_weight_files.py::test_arrays_come_in_the_order_of_the_file",
    ),
    Fault(
        "files-pipe",
        READER,
        "if not stat.S_ISREG(path.stat().st_mode):",
        "if stat.S_ISDIR(path.stat().st_mode):",
        "interop/test_weight_files.py::test_what_is_no_file",
    ),
]
