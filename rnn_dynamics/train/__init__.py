"""Train recurrent nets: tasks, the training loop, measurements during training, and interventions.

    from rnn_dynamics import train
    found = train.fit(cell, train.tasks.adding(100), optimizer, key=key, updates=2000)

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
from .options import Evaluation, Execution, Unrolling
from .orthogonality import soft_orthogonality
from .penalty import Penalty
from .prefloss import prefloss
from .probe import Probe
from .projection import project_spectral_radius
from .task import Example, Task, cross_entropy, make_task, most_likely, squared_error

__all__ = [
    "Evaluation",
    "Example",
    "Execution",
    "Fit",
    "Moment",
    "Net",
    "Penalty",
    "Probe",
    "Readout",
    "Task",
    "Unrolling",
    "clip_by_norm",
    "clip_by_value",
    "clip_each_step",
    "cross_entropy",
    "dataset",
    "example_of",
    "fit",
    "flossing",
    "init_net",
    "loss_along",
    "losses_along",
    "make_task",
    "most_likely",
    "norm_preserving",
    "prefloss",
    "probes",
    "problem",
    "project_spectral_radius",
    "soft_orthogonality",
    "squared_error",
    "tasks",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
