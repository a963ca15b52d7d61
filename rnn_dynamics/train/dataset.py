"""A training as a labelled dataset: the loss of every update, and what was recorded between them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import argument
from .fit import Fit
from .moment import Moment
from .probe import Probe, as_probe

if TYPE_CHECKING:
    import xarray


LOOKS = ("step", "recorded")


def dataset(found: Fit, probes: Mapping[str, Probe | Callable[[Moment], Any]] | None = None) -> "xarray.Dataset":
    """Loss, penalty and gradient norm over `step`, the number of the update, and held-out loss, correct answers and
    probes over `recorded`, the number of updates before each look.

    `probes` are those that `fit` was called with; they name dimensions and units. What a probe returns as a dict or
    NamedTuple becomes variables `<probe>_<part>`.
    """
    import xarray

    if np.ndim(argument.instance("found", found, Fit).updates):
        raise ValueError(
            f"found: got trainings of shape {np.shape(found.updates)}, expected one; jax.tree.map takes one out"
        )
    sizes: dict[str, int] = {}
    variables: dict[str, tuple[Any, ...]] = {
        "loss": ("step", found.loss, {"units": "1", "long_name": "loss of the batch, without penalties"}),
        "penalty": ("step", found.penalty, {"units": "1", "long_name": "what penalties added to the loss"}),
        "log_gradient_norm": (
            "step",
            found.log_gradient_norm,
            {"units": "nats", "long_name": "ln of the norm of the gradient before the optimizer"},
        ),
        "held_out_loss": ("recorded", found.held_out_loss, {"units": "1", "long_name": "loss of held-out examples"}),
        "correct": ("recorded", found.correct, {"units": "1", "long_name": "fraction of correct answers"}),
    }
    for name, value in found.probes.items():
        probe = as_probe(name, (probes or {}).get(name, Probe(lambda moment: moment)))
        for part, array in parts_of(name, value).items():
            if part in (*variables, *LOOKS):
                raise ValueError(f"probes: got {name!r}, whose {part!r} is there already; expected another name")
            named = probe.dims if len(probe.dims) == array.ndim - 1 else range(array.ndim - 1)
            # probes of one kind share a dimension where it has one size
            dims = tuple(
                dim if isinstance(dim, str) and sizes.setdefault(dim, size) == size else f"{part}_{dim}"
                for dim, size in zip(named, array.shape[1:], strict=True)
            )
            variables[part] = (("recorded", *dims), array, {"units": probe.units, "long_name": probe.description})
    return xarray.Dataset(
        {name: (dims, np.asarray(array), attributes) for name, (dims, array, attributes) in variables.items()},
        coords={
            "step": (
                "step",
                np.arange(1, len(found.loss) + 1),
                {"units": "1", "long_name": "number of the update"},
            ),
            "recorded": ("recorded", np.asarray(found.recorded), {"units": "1", "long_name": "updates made"}),
        },
        attrs={"updates": int(found.updates), "outcome": ("ended", "solved", "not finite")[int(found.outcome)]},
    )


def parts_of(name: str, value: Any) -> dict[str, Any]:
    """The arrays of what a probe returned, by name."""
    fields = value._asdict() if hasattr(value, "_asdict") else value
    if not isinstance(fields, Mapping):
        return {name: np.asarray(fields)}
    return {f"{name}_{key}": np.asarray(array) for key, array in fields.items()}
