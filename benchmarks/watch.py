"""What `rd.watch` costs a PyTorch training of an LSTM of 128 units, in one run.

    python -m benchmarks.watch

The task is the adding problem with batch 32, float32, Adam and clipping; PyTorch uses all cores and flushes denormals.
The watch measures 4 sequences over all T lags every 100 updates. Stretches of 100 updates with and without it take
turns, and its share is the difference of their medians over the stretch without it. A call is also timed by itself. The
first call imports the live module, verifies it and compiles; it is made before the stretches.
"""

import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

import rnn_dynamics as rd

from .timing import machine, seconds

HIDDEN, BATCH, EVERY, SEQUENCES, CLIP = 128, 32, 100, 4, 1.0
LENGTHS = (100, 200)
REPETITIONS = 7


def examples(count: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw sequences of values and marks, and the sum of the two marked values."""
    values, marks = torch.rand(count, length), torch.zeros(count, length)
    first, second = torch.randint(0, length // 2, (count, 1)), torch.randint(length // 2, length, (count, 1))
    marks.scatter_(1, first, 1.0).scatter_(1, second, 1.0)
    return torch.stack([values, marks], dim=2), (values * marks).sum(dim=1)


def training(length: int) -> tuple[torch.nn.Module, Callable[[], torch.Tensor]]:
    """Return an LSTM and a function that makes one update of it and returns the norm before clipping."""
    torch.manual_seed(0)
    net, readout = torch.nn.LSTM(2, HIDDEN, batch_first=True), torch.nn.Linear(HIDDEN, 1)
    parameters = [*net.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, 1e-3)

    def update() -> torch.Tensor:
        inputs, targets = examples(BATCH, length)
        loss = ((readout(net(inputs)[0][:, -1])[:, 0] - targets) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return norm

    return net, update


def measured(length: int) -> tuple[float, float, float, float]:
    """Return the seconds of a first call, of a later call, and of 100 updates with the watch and without it."""
    net, update = training(length)
    xs, _ = examples(SEQUENCES, length)
    start = time.perf_counter()
    watch = rd.watch(xs, every=EVERY, horizon=length)
    watch(step=0, model=net)
    first = time.perf_counter() - start
    step, calls = 0, []

    def without() -> None:
        for _ in range(EVERY):
            update()

    def watched() -> None:
        nonlocal step
        for _ in range(EVERY):
            step += 1
            record = watch(step=step, model=net, norm=(norm := update()), clipped=norm.clamp(max=CLIP))
            if record is not None:
                calls.append(record.seconds)

    found = seconds({"without": without, "with": watched}, REPETITIONS)
    return first, float(np.median(calls)), found["with"], found["without"]


def main() -> None:
    """Print the table."""
    torch.set_flush_denormal(True)
    warnings.simplefilter("ignore", rd.GradientWarning)
    print(machine())
    version = torch.__version__.split("+")[0]
    print(f"PyTorch {version}, LSTM of {HIDDEN} units, batch {BATCH}; {SEQUENCES} sequences every {EVERY} updates")
    print("       T   update   first call   later calls   their share   measured share   wanted")
    for length in LENGTHS:
        first, later, watched, without = measured(length)
        share, total = later / without, watched / without - 1
        print(
            f"    {length:>4}  {without / EVERY * 1e3:4.0f} ms  {first:8.1f} s  {later * 1e3:9.0f} ms  {share:10.1%}  "
            f"{total:13.1%}       below 5 %"
        )


if __name__ == "__main__":
    main()
