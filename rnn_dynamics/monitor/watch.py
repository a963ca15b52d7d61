"""`rd.watch`: measure a recurrent net now and then while any training loop trains it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import argument
from ..cells.contract import Cell
from . import sinks
from .watcher import Settings, Watch

if TYPE_CHECKING:
    import xarray


def watch(
    xs: Any,
    *,
    every: int = 100,
    horizon: int | None = None,
    to: Any = (),
    cell: Any = None,
    importer: Any = None,
    directions: int = 8,
    history: "xarray.Dataset | None" = None,
) -> Watch:
    """Return an object that a training loop calls after each update, to measure the gradient over *lag* now and then.

        watch = rd.watch(xs, every=100, horizon=200)
        for i in range(updates):
            ...                                                       # the update
            watch(step=i, model=net, norm=norm, clipped=clipped)

    The first measurement imports the live model with `rd.interop`, runs it beside the import, and raises an error if
    the two differ or an argument is wrong. Later ones convert the weights and compile nothing. The model is only read.

    After the first measurement the watch never ends a training: weights that are not finite are a finding, and any
    error becomes the record's `failure` and a warning.

    Args:
        xs: A few held-out input sequences of the recurrent layer, (sequences, steps, inputs), whatever order the model
            takes. They should be as long as the horizon or longer.
        every: Measure when `step` is a multiple of this number. Default: 100.
        horizon: How many steps back the task needs a gradient to reach; at most as many as `xs` has. The gradient is
            measured over the lags up to it. Default: all steps, and the rules that need a horizon stay silent.
        to: Where to send the numbers, one object or several: a `SummaryWriter` of TensorBoard, a run of wandb or of
            trackio, or anything else with `add_scalar(name, value, step)` or `log(numbers, step=step)`.
        cell: One of `rd.cells`, if the loop passes its `params` instead of a model.
        importer: A function from the model (and params) to what `rd.interop` returns. Default: that of the model's
            package. Say `functools.partial(rd.interop.from_torch, prefix="encoder.rnn")` to choose one of several
            layers, and for Haiku `lambda params: rd.interop.from_haiku(params, core)`, with its params as the model.
        directions: How many rows of ∂h_T/∂h_{T-ℓ} to follow. More make its 2-norm more precise. Default: 8.
        history: The dataset of an earlier part of this training, to be continued. Default: a new dataset.

    Returns:
        A `Watch`. It warns (`rd.GradientWarning`) when a rule of `rd.diagnose` begins to fire.

    Cost:
        A call that does not measure takes microseconds. A measurement takes O(sequences · steps · directions)
        directional derivatives of the step, and the first some seconds more, to verify the import and to compile.
        Memory: 4 · (3 · sequences · lags) bytes a record.

    Example:
        >>> cell = rd.cells.elman
        >>> params = cell.init(key, inputs=1, hidden=4, gain=0.5)
        >>> watch = rd.watch(jax.random.normal(key, (2, 20, 1)), every=10, cell=cell)
        >>> for update in range(20):
        ...     record = watch(step=update, params=params)
        >>> watch.dataset.step.values
        array([ 0, 10])

    References:
        Halko, Martinsson & Tropp (2011), SIAM Review 53, 217-288 (rows that see the largest singular value).
    """
    sequences = sequences_of(xs)
    every, directions = argument.size("every", every, 1), argument.size("directions", directions, 2)
    steps = sequences.shape[1]
    if horizon is not None and argument.size("horizon", horizon, 1) > steps:
        raise ValueError(
            f"horizon: got {horizon}, expected at most {steps}, the number of steps of xs, whose shape (sequences, "
            f"steps, inputs) is {sequences.shape}"
        )
    if cell is not None:
        argument.instance("cell", cell, Cell)
    if importer is not None and not callable(importer):
        raise TypeError(f"importer: got {importer!r}, expected a function from a model to what rd.interop returns")
    return Watch(Settings(sequences, every, horizon, sinks.checked(to), cell, importer, directions, history))


def sequences_of(xs: Any) -> NDArray:
    """Return the input sequences as an array (sequences, steps, inputs)."""
    if hasattr(xs, "detach"):  # a PyTorch tensor
        xs = xs.detach().cpu()
    found = np.asarray(xs)
    if found.dtype.kind not in "iuf" or found.ndim != 3 or 0 in found.shape:
        raise ValueError(
            f"xs: got shape {found.shape} and dtype {found.dtype}, expected real numbers of shape (sequences, steps, "
            "inputs)"
        )
    if not np.isfinite(found).all():
        raise ValueError("xs: got values that are not finite, expected finite inputs")
    return found
