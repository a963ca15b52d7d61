"""Watch the gradients of a PyTorch LSTM while it learns to add two marked numbers.

python examples/watch_pytorch.py
"""

from typing import Any

import torch

import rnn_dynamics as rd

STEPS, BATCH, UNITS, THRESHOLD = 30, 32, 32, 1.0


def examples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw sequences of values and marks, and the sum of the two marked values."""
    values, marks = torch.rand(count, STEPS), torch.zeros(count, STEPS)
    first, second = torch.randint(0, STEPS // 2, (count, 1)), torch.randint(STEPS // 2, STEPS, (count, 1))
    marks.scatter_(1, first, 1.0).scatter_(1, second, 1.0)
    return torch.stack([values, marks], dim=2), (values * marks).sum(dim=1)


def main(updates: int = 600, every: int = 100, to: Any = ()) -> Any:
    torch.manual_seed(0)
    lstm, readout = torch.nn.LSTM(2, UNITS, batch_first=True), torch.nn.Linear(UNITS, 1)
    parameters = [*lstm.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, 1e-2)
    held_out, _ = examples(4)
    watch = rd.watch(held_out, every=every, horizon=STEPS, to=to)
    for i in range(updates):
        inputs, targets = examples(BATCH)
        loss = ((readout(lstm(inputs)[0][:, -1])[:, 0] - targets) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, THRESHOLD)
        optimizer.step()
        watch(step=i, model=lstm, norm=norm, clipped=norm.clamp(max=THRESHOLD))
    return watch


if __name__ == "__main__":
    dataset = main().dataset
    print(dataset[["log_norm", "gate_mean", "norm_median", "clipped_share", "finding"]])
    print(dataset.log_norm.isel(lag=-1).median("sequence").values)
