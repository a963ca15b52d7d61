"""Watch the gradients of a recurrent net while any training loop trains it."""

import os
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import argument
from ..cells.contract import Cell
from ..diagnosis.evidence import Evidence
from ..diagnosis.result import Finding
from ..diagnosis.rules import judge
from . import labelled, models, sinks
from .measured import measured
from .record import GradientWarning, NormLog, Record

if TYPE_CHECKING:
    import xarray

# warnings point at the line of the loop that calls the watch
CALLER = 2


def watch(
    xs: Any,
    *,
    every: int = 100,
    horizon: int | None = None,
    cell: Cell | None = None,
    to: Any = (),
    directions: int = 8,
    history: "xarray.Dataset | None" = None,
) -> "Watch":
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
        xs: A few held-out input sequences of the recurrent layer, (sequences, steps, inputs). More sequences cost more.
        every: Measure when `step` is a multiple of this number. Default: 100.
        horizon: How many steps back the task needs a gradient to reach; at most as many as `xs` has. The gradient is
            measured over the lags up to it. Default: all steps, and the rules that need a horizon stay silent.
        cell: One of `rd.cells`, if the loop passes `params` of it instead of a model.
        to: Where to send the numbers, one object or several: a `SummaryWriter` of TensorBoard, a run of wandb or of
            trackio, or anything else with `add_scalar(name, value, step)` or `log(numbers, step=step)`.
        directions: How many rows of ∂h_T/∂h_{T-ℓ} to follow. More make its 2-norm more precise. Default: 8.
        history: The dataset of an earlier part of this training, to be continued. Default: a new dataset.

    Returns:
        A `Watch`.

    Cost:
        A call that does not measure costs a microsecond or so. A measurement takes O(sequences · steps · directions)
        directional derivatives of the step: 40 ms for an LSTM of 128 units, 4 sequences and 200 steps. The first takes
        some seconds, to verify the import and to compile.

    Example:
        >>> xs = jax.random.normal(key, (2, 20, 1))
        >>> watch = rd.watch(xs, every=10, cell=rd.cells.elman)
        >>> params = rd.cells.elman.init(key, inputs=1, hidden=4, gain=0.5)
        >>> for update in range(20):
        ...     record = watch(step=update, params=params)
        >>> dict(watch.dataset.sizes)["step"]
        2

    References:
        Halko, Martinsson & Tropp (2011), SIAM Review 53, 217-288 (rows that see the largest singular value).
    """
    sequences = sequences_of(xs)
    every = argument.size("every", every, 1)
    if horizon is not None:
        horizon = argument.size("horizon", horizon, 1)
        if horizon > sequences.shape[1]:
            raise ValueError(
                f"horizon: got {horizon}, expected at most {sequences.shape[1]}, the number of steps of xs, whose shape "
                f"(sequences, steps, inputs) is {sequences.shape}"
            )
    if cell is not None:
        argument.instance("cell", cell, Cell)
    directions = argument.size("directions", directions, 2)
    return Watch(sequences, every, horizon, cell, sinks.checked(to), directions, history)


class Watch:
    """What `rd.watch` returns: call it after each update of a training.

    Attributes:
        last: The last `Record`; None before the first.
        source: What is watched and how it was verified, in words; "" before the first measurement.
    """

    def __init__(
        self,
        xs: NDArray,
        every: int,
        horizon: int | None,
        cell: Cell | None,
        to: tuple[Any, ...],
        directions: int,
        history: "xarray.Dataset | None",
    ) -> None:
        self._xs, self._every, self._horizon, self._cell = xs, every, horizon, cell
        self._sinks, self._directions, self._history = to, directions, history
        self._rows: list[labelled.Row] = []
        self._norms = NormLog()
        self._fired: set[str] = set()  # the rules that fired in the last record
        self._ever: set[str] = set()
        self._failing: set[str] = set()  # errors that were warned of
        self.last: Record | None = None
        self.source = ""

    def __repr__(self) -> str:
        """Say what is watched and how often it was measured."""
        return f"Watch({self.source or 'nothing yet'}; {len(self._rows)} records, every {self._every} steps)"

    def __call__(
        self, step: int, model: Any = None, *, params: Any = None, norm: Any = None, clipped: Any = None
    ) -> Record | None:
        """Measure the net if `step` is a multiple of `every`.

        Args:
            step: The number of this update.
            model: The live recurrent layer of PyTorch, Flax, Equinox, Haiku or Keras, or what holds just one.
            params: Parameters of the `cell` that the watch was made with, instead of a model.
            norm: The norm of the gradient before clipping: what `torch.nn.utils.clip_grad_norm_` returns, or
                `optax.global_norm(grads)`. It is summarised over all updates since the last record.
            clipped: The norm after clipping, such as `min(norm, threshold)`.

        Returns:
            The `Record`, or None between two measurements.
        """
        step = argument.size("step", step, 0)
        self._norms.add(step, norm, clipped)
        if step % self._every:
            return None
        start = time.perf_counter()
        failure, stderr = "", None
        try:
            evidence, stderr = self._measured(model, params)
        except Exception as error:
            if not self.source:
                raise
            evidence, failure = self._unmeasured(error, model if params is None else params)
        record = self._judged(step, evidence, stderr, failure, start)
        messages = [finding.sentence for finding in record.findings if finding.rule in record.new]
        messages += self._written(record)
        for message in [*messages, *self._unheard(failure)]:
            warnings.warn(f"step {step}: {message}", GradientWarning, stacklevel=CALLER)
        return record

    @property
    def dataset(self) -> "xarray.Dataset":
        """All records as a labelled dataset over `step`, and after `lag`, `sequence`, `gate` and `rule`.

        Units and descriptions are attributes of the variables. Where a record has no value there is NaN. If the
        training went back to an earlier step, the records from that step on are replaced.
        """
        sizes = {"lag": self._lags + 1, "sequence": len(self._xs)}
        attributes = {"source": self.source, "every": self._every, "directions": self._directions}
        if self._horizon is not None:
            attributes["horizon"] = self._horizon
        found = labelled.dataset_of(self._rows, sizes, attributes)
        return found if self._history is None else labelled.joined(self._history, found)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the dataset to a netCDF file (needs `rnn_dynamics[netcdf]`), which is replaced only when complete."""
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path: got {path!r}, expected a file's name such as watch.nc")
        labelled.write(self.dataset, Path(path))

    @property
    def _lags(self) -> int:
        return self._xs.shape[1] if self._horizon is None else self._horizon

    def _measured(self, model: Any, params: Any) -> tuple[Evidence, NDArray | None]:
        """Read the weights, with verification if they are the first, and measure."""
        if (model is None) == (params is None):
            raise TypeError("model, params: got both or neither, expected one of the two")
        if params is None:
            net = models.read(model, verify=not self.source)
        elif self._cell is None:
            raise TypeError("params: got parameters of an unknown cell; give rd.watch(.., cell=) such as rd.cells.lstm")
        else:
            net = models.own(self._cell, params)
        found = measured(
            net.cell, net.params, self._xs, lags=self._lags, directions=self._directions, horizon=self._horizon
        )
        self.source = self.source or f"{net.source}; {net.verification}"
        return found

    def _unmeasured(self, error: Exception, weights: Any) -> tuple[Evidence, str]:
        """Return evidence of a weight that is not finite, or else why nothing was measured."""
        try:
            bad = models.first_non_finite(weights)
        except Exception:  # weights of an unexpected form: the first error is the one to report
            bad = ""
        nothing = Evidence(0, self._xs.shape[1], len(self._xs), self._horizon)
        if bad:
            return nothing._replace(first_non_finite=f"parameter {bad}"), ""
        return nothing, f"{type(error).__name__}: {error}"

    def _judged(self, step: int, evidence: Evidence, stderr: Any, failure: str, start: float) -> Record:
        """Apply the rules, remember which of them fire, and keep the record."""
        norms = self._norms.taken(step)
        if norms.first_non_finite is not None and not evidence.first_non_finite:
            evidence = evidence._replace(first_non_finite=f"the gradient norm of step {norms.first_non_finite}")
        findings: tuple[Finding, ...] = ()
        try:
            findings = judge(evidence)
        except Exception as error:
            if not self._rows:
                raise
            failure = failure or f"{type(error).__name__}: {error}"
        fired = {finding.rule for finding in findings}
        new = tuple(finding.rule for finding in findings if finding.rule not in self._fired)
        # a record without measurements cannot say that a rule has cleared
        self._fired = fired if evidence.log_norm is not None else self._fired | fired
        seconds = time.perf_counter() - start
        self.last = Record(step, evidence, stderr, norms, findings, new, failure, seconds)
        self._rows = [row for row in self._rows if row["step"] < step]
        self._rows.append(labelled.row_of(self.last))
        return self.last

    def _written(self, record: Record) -> list[str]:
        """Send the record to the sinks; return what to warn of."""
        self._ever |= {finding.rule for finding in record.findings}
        numbers = sinks.numbers_of(record, sorted(self._ever))
        failed = []
        for sink in self._sinks:
            try:
                sinks.write(sink, numbers, record.step)
            except Exception as error:
                failed += self._unheard(f"{type(sink).__name__} did not take the numbers: {error}")
        return failed

    def _unheard(self, failure: str) -> list[str]:
        """Return the failure, unless there is none or it was warned of before."""
        if not failure or failure in self._failing:
            return []
        self._failing.add(failure)
        return [failure]


def sequences_of(xs: Any) -> NDArray:
    """Return the input sequences as an array (sequences, steps, inputs)."""
    if hasattr(xs, "detach"):  # a PyTorch tensor
        xs = xs.detach().cpu()
    found = np.asarray(xs)
    if found.dtype.kind not in "iuf" or found.ndim != 3 or 0 in found.shape[:2]:
        raise ValueError(
            f"xs: got shape {found.shape} and dtype {found.dtype}, expected real numbers of shape (sequences, steps, "
            "inputs)"
        )
    if not np.isfinite(found).all():
        raise ValueError("xs: got values that are not finite")
    return found
