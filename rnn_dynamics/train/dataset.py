"""A training as a labelled dataset: the loss of every update, and the evaluations between updates."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import argument
from .fit import Fit
from .moment import Moment
from .probe import Probe, as_probe

if TYPE_CHECKING:
    import xarray


AXES = ("updates", "recorded")


def dataset(found: Fit, probes: Mapping[str, Probe | Callable[[Moment], Any]] | None = None) -> "xarray.Dataset":
    """Turn the result of a training into a labelled xarray dataset.

    `loss`, `penalty` and `log_gradient_norm` have the dimension `updates`, which counts from 1.
    `held_out_loss`, `correct` and the probes have the dimension `recorded`, the number of updates made before each
    evaluation. A probe that returns a dict or NamedTuple becomes the variables `<probe>_<part>`. Needs xarray.

    Args:
        found: The result of one `fit`.
        probes: The probes that `fit` was called with; they name dimensions and units. Default: dimensions get numbers.

    Returns:
        An `xarray.Dataset`, with the attributes `updates` (the number made) and `outcome` ("ended", "solved" or "not
        finite").

    Raises:
        ValueError: If `found` holds several trainings, or a probe has the name of another variable.

    Cost:
        One copy of all arrays to the host.

    Example:
        >>> task, adam = rd.train.tasks.adding(6), optax.adam(0.01)
        >>> twice = rd.train.Evaluation(every=2, examples=4)
        >>> found = rd.train.fit(rd.cells.elman, task, adam, key=key, updates=4, hidden=3, batch=2, evaluation=twice)
        >>> dict(rd.train.dataset(found).sizes)
        {'updates': 4, 'recorded': 3}
    """
    import xarray

    if np.ndim(argument.instance("found", found, Fit).updates):
        raise ValueError(
            f"found: got trainings of shape {np.shape(found.updates)}, expected one; take one out with jax.tree.map"
        )
    sizes: dict[str, int] = {}  # of the dimensions that probes have named so far
    variables: dict[str, tuple[Any, ...]] = {
        "loss": ("updates", found.loss, {"units": "1", "long_name": "loss of the batch, without penalties"}),
        "penalty": ("updates", found.penalty, {"units": "1", "long_name": "penalty added to the loss"}),
        "log_gradient_norm": (
            "updates",
            found.log_gradient_norm,
            {"units": "nats", "long_name": "ln of the gradient norm before the optimizer"},
        ),
        "held_out_loss": ("recorded", found.held_out_loss, {"units": "1", "long_name": "held-out loss"}),
        "correct": ("recorded", found.correct, {"units": "1", "long_name": "fraction of correct answers"}),
    }
    for name, value in found.probes.items():
        probe = as_probe(name, (probes or {}).get(name, Probe(lambda moment: moment)))
        for part, variable in _variables_of(name, probe, value, sizes).items():
            if part in (*variables, *AXES):
                raise ValueError(f"probes: got {name!r}, whose variable {part!r} already exists; expected another name")
            variables[part] = variable
    return xarray.Dataset(
        {name: (dims, np.asarray(array), attributes) for name, (dims, array, attributes) in variables.items()},
        coords={
            "updates": (
                "updates",
                np.arange(1, len(found.loss) + 1),
                {"units": "1", "long_name": "number of the update"},
            ),
            "recorded": ("recorded", np.asarray(found.recorded), {"units": "1", "long_name": "number of updates made"}),
        },
        attrs={"updates": int(found.updates), "outcome": ("ended", "solved", "not finite")[int(found.outcome)]},
    )


def _variables_of(name: str, probe: Probe, value: Any, sizes: dict[str, int]) -> dict[str, tuple[Any, ...]]:
    """Return the variables of one probe; probes share a dimension of the same name if it has the same size."""
    variables = {}
    for part, array in parts_of(name, value).items():
        named = probe.dims if len(probe.dims) == array.ndim - 1 else range(array.ndim - 1)
        dims = tuple(
            dim if isinstance(dim, str) and sizes.setdefault(dim, size) == size else f"{part}_{dim}"
            for dim, size in zip(named, array.shape[1:], strict=True)
        )
        variables[part] = (("recorded", *dims), array, {"units": probe.units, "long_name": probe.description})
    return variables


def parts_of(name: str, value: Any) -> dict[str, Any]:
    """Return the arrays of a probe's result, by variable name."""
    fields = value._asdict() if hasattr(value, "_asdict") else value
    if not isinstance(fields, Mapping):
        return {name: np.asarray(fields)}
    return {f"{name}_{key}": np.asarray(array) for key, array in fields.items()}
