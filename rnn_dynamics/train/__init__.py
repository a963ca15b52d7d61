"""Nets that learn: tasks, the training loop, what is measured while it runs, and interventions that steer it.

    from rnn_dynamics import train
    found = train.fit(cell, train.tasks.adding(100), optimizer, key=key, steps=2000, probes={...})

Optimizers and what combines with them are those of optax.
"""

from . import probes, tasks
from .dataset import dataset
from .fit import Fit, fit
from .moment import Moment, example_of, loss_along, losses_along, problem
from .net import Net, Readout, init_net
from .probe import Probe
from .task import Example, Task

__all__ = [
    "Example",
    "Fit",
    "Moment",
    "Net",
    "Probe",
    "Readout",
    "Task",
    "dataset",
    "example_of",
    "fit",
    "init_net",
    "loss_along",
    "losses_along",
    "probes",
    "problem",
    "tasks",
]
