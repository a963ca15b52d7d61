"""Write tests/interop/torch_nets.safetensors: small nets of PyTorch with inputs, outputs and Jacobians of its own.

    pip install 'rnn_dynamics[torch]'
    python tests/programs/make_torch_nets.py

The arrays of each case are named "CASE/...": the weights as in a state dict, then "inputs" (T, m), "outputs" (T, n)
from the zero state, "state" (a random flat state), "jacobian" (one step from there), "jacobian_of_all" (all T steps).
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "helpers"))

import torch_nets

CASES = {
    **{name: (name, {}) for name in torch_nets.NETS},
    **{f"{name}_no_bias": (name, {"bias": False}) for name in ("rnn", "gru", "lstm")},
    **{f"{name}_2_layers": (name, {"num_layers": 2}) for name in ("rnn", "gru", "lstm", "lstm_projected")},
    "gru_2_layers_square": ("gru", {"inputs": torch_nets.UNITS, "num_layers": 2}),
    # square: as many inputs as units, so that no shape betrays a kernel in the wrong place
    **{f"{name}_square": (name, {"inputs": torch_nets.UNITS}) for name in ("rnn", "gru", "lstm")},
}


def arrays(case):
    name, options = CASES[case]
    module = torch_nets.make(name, **options)
    xs, state = torch_nets.random_problem(module)
    outputs, _ = torch_nets.run(module, torch.zeros_like(state), xs)
    return {
        **{f"rnn.{key}": value for key, value in module.state_dict().items()},
        "inputs": xs,
        "outputs": outputs.detach(),
        "state": state,
        "jacobian": torch_nets.jacobian(module, state, xs[:1]),
        "jacobian_of_all": torch_nets.jacobian(module, state, xs),
    }


def both_directions(name):
    module = torch_nets.make(name, bidirectional=True)
    xs, _ = torch_nets.random_problem(module)
    weights = {f"rnn.{key}": value for key, value in module.state_dict().items()}
    return {**weights, "inputs": xs, "outputs": module(xs)[0].detach()}


found = {case: arrays(case) for case in CASES}
found |= {f"{name}_both_directions": both_directions(name) for name in ("rnn", "gru", "lstm", "lstm_projected")}
path = ROOT / "interop" / "torch_nets.safetensors"
save_file({f"{case}/{key}": v.contiguous() for case, each in found.items() for key, v in each.items()}, path)
print(f"{path.name}: {len(found)} nets of PyTorch {torch.__version__}, {path.stat().st_size} bytes")
