"""Train recurrent nets: tasks, the training loop, measurements during training, and interventions.

    from rnn_dynamics import train
    found = train.fit(cell, train.tasks.adding(100), optimizer, key=key, steps=2000, probes={...})

Optimizers are optax gradient transformations; the interventions here combine with them through `optax.chain`.
"""

from . import probes, tasks
from .clipping import clip_by_norm, clip_by_value, clip_each_step
from .dataset import dataset
from .fit import Fit, fit
from .flossing import flossing
from .moment import Moment, example_of, loss_along, losses_along, problem
from .net import Net, Readout, init_net
from .norm_preserving import norm_preserving
from .orthogonality import soft_orthogonality
from .penalty import Penalty
from .prefloss import prefloss
from .probe import Probe
from .projection import project_spectral_radius
from .task import Example, Task

__all__ = [
    "Example",
    "Fit",
    "Moment",
    "Net",
    "Penalty",
    "Probe",
    "Readout",
    "Task",
    "clip_by_norm",
    "clip_by_value",
    "clip_each_step",
    "dataset",
    "example_of",
    "fit",
    "flossing",
    "init_net",
    "loss_along",
    "losses_along",
    "norm_preserving",
    "prefloss",
    "probes",
    "problem",
    "project_spectral_radius",
    "soft_orthogonality",
    "tasks",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
