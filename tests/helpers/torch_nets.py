"""Recurrent layers of PyTorch, run and differentiated by PyTorch: the judge of `rd.interop.from_torch`."""

import torch

INPUTS, UNITS, STEPS = 3, 5, 20
# the class and its options, by a name of the case
NETS = {
    "rnn": ("RNN", {}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
    "gru": ("GRU", {}),
    "lstm": ("LSTM", {}),
    "lstm_projected": ("LSTM", {"proj_size": 2}),
}


def make(name, seed=0, inputs=INPUTS, **options):
    """A net whose weights and biases are random, none of them 0."""
    kind, own = NETS[name]
    torch.manual_seed(seed)
    return getattr(torch.nn, kind)(inputs, UNITS, **own, **options)


def random_problem(module, seed=1):
    """Random inputs (T, m), and a random state in the order of ours: h and c of layer 0, then of layer 1, ..."""
    torch.manual_seed(seed)
    h = module.proj_size or UNITS
    numbers = module.num_layers * (h + UNITS if isinstance(module, torch.nn.LSTM) else h)
    return torch.randn(STEPS, module.input_size), torch.randn(numbers) / 2


def run(module, state, xs):
    """Run one sequence (T, m) from a flat state; return the outputs (T, n) and the flat state after them."""
    h = module.proj_size or UNITS
    layers = state.reshape(module.num_layers, -1)
    parts = [layers[:, None, :h], layers[:, None, h:]] if isinstance(module, torch.nn.LSTM) else [layers[:, None]]
    parts = [part.contiguous() for part in parts]
    batched = xs[None] if module.batch_first else xs[:, None]
    outputs, after = module(batched, tuple(parts) if len(parts) == 2 else parts[0])
    after = torch.cat([part[:, 0] for part in (after if len(parts) == 2 else (after,))], dim=1).reshape(-1)
    return outputs[0] if module.batch_first else outputs[:, 0], after


def jacobian(module, state, xs):
    """The derivative of the flat state after all inputs by the flat state before them."""
    return torch.autograd.functional.jacobian(lambda state: run(module, state, xs)[1], state)
