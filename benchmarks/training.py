"""Compare updates with PyTorch's own layers, and measure the cost of probes and of many seeds, in one run.

    python -m benchmarks.training

The task is the adding problem with T = 200, batch 64, hidden 128, float32, Adam and new examples in each step. PyTorch
uses all cores and flushes denormals; our code shares the batch between one CPU device per core. The cost of probes is
the time of a training that measures its net every 50 steps (held-out loss, gradient flow, ∂L/∂h_t, two Lyapunov
exponents, ρ(W)) over that of one that measures it only at the end. The cost of seeds is the time of 16 vmapped
trainings, divided between the devices as in `rd.sweep`, over that of one training on one device, and over that of one
training whose batch the devices share.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA

os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count=2 {os.environ.get('XLA_FLAGS', '')}"

from collections.abc import Callable
from typing import Any

import jax
import optax
import torch
from jax.sharding import AxisType, PartitionSpec

import rnn_dynamics as rd
from rnn_dynamics import train

from .timing import machine, seconds

T, BATCH, HIDDEN = 200, 64, 128
# a call of `fit` traces its programs for a tenth of a second, whatever the number of updates
UPDATES = 20
LAYERS = {"tanh": (rd.cells.elman, torch.nn.RNN), "LSTM": (rd.cells.lstm, torch.nn.LSTM)}
ADAM = optax.adam(1e-3)
LOOKS = 50
# hidden, T, updates
SIZES = ((16, 20, 1000), (32, 50, 300), (64, 100, 60), (128, 200, UPDATES))
PROBES = {
    "flow": train.probes.gradient_flow(),
    "gradients": train.probes.log_state_gradients(),
    "exponents": train.probes.lyapunov(2),
    "radius": train.probes.spectral_radius(),
}


def ours(cell: rd.cells.Cell, length: int = T, **options: Any) -> Callable[[], Any]:
    """Return a call that makes some updates in one compiled program."""
    settings = small(HIDDEN, UPDATES) | options
    return lambda: train.fit(cell, train.tasks.adding(length), ADAM, key=jax.random.key(0), **settings).loss


def theirs(layer: type[torch.nn.Module]) -> Callable[[], Any]:
    """Return a call that makes as many updates in a PyTorch user's loop."""
    torch.manual_seed(0)
    net, readout = layer(2, HIDDEN), torch.nn.Linear(HIDDEN, 1)
    optimizer = torch.optim.Adam([*net.parameters(), *readout.parameters()], 1e-3)

    def one_step() -> float:
        values, marks = torch.rand(T, BATCH), torch.zeros(T, BATCH)
        examples = torch.arange(BATCH)
        first, second = torch.randint(0, T // 2, (BATCH,)), torch.randint(T // 2, T, (BATCH,))
        marks[first, examples] = 1
        marks[second, examples] = 1
        target = values[first, examples] + values[second, examples]
        states, _ = net(torch.stack([values, marks], dim=2))
        loss = ((readout(states[-1])[:, 0] - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return lambda: [one_step() for _ in range(UPDATES)]


def many_seeds(count: int, hidden: int, length: int, updates: int) -> Callable[[], Any]:
    """Return a call that runs vmapped trainings with different keys, divided between the devices."""

    def share(keys: jax.Array) -> jax.Array:
        def one(key: jax.Array) -> jax.Array:
            return train.fit(rd.cells.elman, train.tasks.adding(length), ADAM, key=key, **small(hidden, updates)).loss

        return jax.vmap(one)(keys)

    mesh = jax.make_mesh((jax.device_count(),), ("seeds",), axis_types=(AxisType.Auto,))
    over = PartitionSpec("seeds")
    all_of_them = jax.jit(jax.shard_map(share, mesh=mesh, in_specs=over, out_specs=over, check_vma=False))
    return lambda: all_of_them(jax.random.split(jax.random.key(0), count))


def small(hidden: int, updates: int) -> dict[str, Any]:
    """Return the settings of a small training."""
    return {"updates": updates, "hidden": hidden, "batch": BATCH, "evaluation": train.Evaluation(updates, examples=1)}


def main() -> None:
    """Print the table."""
    torch.set_flush_denormal(True)
    print(machine())
    print(f"an update, T = {T}, batch {BATCH}, hidden {HIDDEN}: PyTorch's time over ours")
    for (name, (cell, layer)), wanted in zip(LAYERS.items(), ("1.5", "1"), strict=True):
        found = seconds({"ours": ours(cell), "theirs": theirs(layer)}, 7, pause=0.3)
        print(f"    {name:>6}  {found['theirs'] / found['ours']:5.2f}    wanted: at least {wanted}")
    print(f"16 seeds, vmapped, over one training on one device, and on all: tanh, batch {BATCH}; wanted: less than 8")
    one_device = train.Execution(devices=jax.devices()[:1])
    for hidden, length, updates in SIZES:
        calls = {
            "alone": ours(rd.cells.elman, length=length, execution=one_device, **small(hidden, updates)),
            "shared": ours(rd.cells.elman, length=length, **small(hidden, updates)),
            "all": many_seeds(16, hidden, length, updates),
        }
        found = seconds(calls, 5)
        over = [found["all"] / found[name] for name in ("alone", "shared")]
        print(f"    hidden {hidden:>3}, T = {length:>3}  {over[0]:5.2f}  {over[1]:5.2f}")
    print(f"a training with probes every {LOOKS} updates over one without; wanted: at most 1.5")
    for name, (cell, _) in LAYERS.items():
        calls = {
            "with": ours(cell, updates=2 * LOOKS, evaluation=train.Evaluation(LOOKS, 64, probes=PROBES)),
            "without": ours(cell, updates=2 * LOOKS, evaluation=train.Evaluation(2 * LOOKS, 1)),
        }
        found = seconds(calls, 3)
        print(f"    {name:>6}  {found['with'] / found['without']:5.2f}")


if __name__ == "__main__":
    main()
