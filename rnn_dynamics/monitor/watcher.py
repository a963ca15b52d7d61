"""The object that a training loop calls: when to measure, what to remember, whom to tell."""

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from .. import argument
from ..cells.contract import Cell
from ..diagnosis.evidence import Evidence
from ..diagnosis.result import Finding
from ..diagnosis.rules import judge
from ..interop.imported import Imported
from . import labelled, models, sinks
from .gates import Gates
from .measured import measured
from .record import NO_NORMS, GradientWarning, NormLog, Record

if TYPE_CHECKING:
    import xarray

# warnings point at the line of the loop that calls the watch
CALLER = 2


class Settings(NamedTuple):
    """The options of `rd.watch`, checked."""

    xs: NDArray
    every: int
    horizon: int | None
    sinks: tuple[Any, ...]
    cell: Cell | None
    importer: Callable[..., Imported] | None
    directions: int
    history: Any

    @property
    def lags(self) -> int:
        """The number of lags to measure."""
        return self.xs.shape[1] if self.horizon is None else self.horizon


class Watch:
    """What `rd.watch` returns: call it after each update of a training.

    Attributes:
        settings: The options that it was made with.
        last: The last `Record`; None before the first.
        source: What is watched and how it was verified, in words; "" before the first measurement.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.last: Record | None = None
        self.source = ""
        self._rows: list[labelled.Row] = []
        self._norms, self._gates = NormLog(), Gates()
        self._firing: set[str] = set()  # the rules that fired when the net was measured last
        self._fired: set[str] = set()  # the rules that have ever fired
        self._reported: set[str] = set()  # failures that were warned of

    def __repr__(self) -> str:
        """Say what is watched and how often it was measured."""
        return (
            f"Watch({self.source or 'nothing yet'}; {len(self._rows)} records, one every {self.settings.every} steps)"
        )

    def __call__(
        self, step: int, model: Any = None, *, params: Any = None, norm: Any = None, clipped: Any = None
    ) -> Record | None:
        """Measure the net if `step` is a multiple of `every`.

        Args:
            step: The number of this update.
            model: The live recurrent layer of PyTorch, Flax, Equinox or Keras, or what holds just one.
            params: The parameters of a model that does not hold them; without a model, those of the watch's `cell`.
            norm: The norm of the gradient before clipping: what `torch.nn.utils.clip_grad_norm_` returns, or
                `optax.tree.norm(grads)`. It is summarised over all updates since the last record.
            clipped: The norm after clipping, such as `min(norm, threshold)`.

        Returns:
            The `Record`, or None between two measurements.
        """
        step = argument.size("step", step, 0)
        self._norms.add(step, norm, clipped)
        if step % self.settings.every:
            return None
        start, failure, stderr = time.perf_counter(), "", None
        try:
            evidence, stderr = self._measured(model, params)
        except Exception as error:
            if not self.source:
                raise
            evidence, failure = self._unmeasured(error, model if params is None else params)
        record = self._judged(step, evidence, stderr, failure, start)
        failures = [record.failure, *self._sent(record)]
        messages = [finding.sentence for finding in record.findings if finding.rule in record.new]
        for message in [*messages, *(each for each in failures if each and each not in self._reported)]:
            warnings.warn(f"step {step}: {message}", GradientWarning, stacklevel=CALLER)
        self._reported |= set(failures)
        return record

    @property
    def dataset(self) -> "xarray.Dataset":
        """All records as a labelled dataset over `step`, and further over `sequence`, `lag`, `gate` or `rule`.

        Units and descriptions are attributes of the variables. Where a record has no value there is NaN. If the
        training went back to an earlier step, the records from that step on are replaced.
        """
        settings = self.settings
        attributes = {"source": self.source, "every": settings.every, "directions": settings.directions}
        if settings.horizon is not None:
            attributes["horizon"] = settings.horizon
        sizes = {"lag": settings.lags + 1, "sequence": len(settings.xs)}
        found = labelled.dataset_of(self._rows, sizes, attributes)
        return found if settings.history is None else labelled.joined(settings.history, found)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the dataset to a netCDF file (needs `rnn_dynamics[netcdf]`), which is replaced only when complete."""
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path: got {path!r}, expected a file's name such as watch.nc")
        labelled.write(self.dataset, Path(path))

    def keras_callback(self, layer: Any) -> Any:
        """Return a `keras.callbacks.Callback` for `model.fit` that watches this layer of the model."""
        from .keras_callback import callback

        return callback(self, layer)

    def _measured(self, model: Any, params: Any) -> tuple[Evidence, NDArray | None]:
        """Read the weights, with verification if they are the first, and measure."""
        settings = self.settings
        if model is not None:
            net = models.imported(model, params, settings.importer, verify=not self.source)
        elif params is None:
            raise TypeError("model, params: got neither, expected a model, or the params of a cell")
        elif settings.cell is None:
            raise TypeError("params: got parameters of an unknown cell; give rd.watch(.., cell=) such as rd.cells.lstm")
        else:
            net = models.own(settings.cell, params)
        found = measured(
            *net.problem(settings.xs),
            lags=settings.lags,
            directions=settings.directions,
            horizon=settings.horizon,
            gates=self._gates,
        )
        self.source = self.source or f"{net.source}; {net.verification}"
        return found

    def _unmeasured(self, error: Exception, weights: Any) -> tuple[Evidence, str]:
        """Return evidence of a weight that is not finite, or else why nothing was measured."""
        try:
            bad = models.first_non_finite(weights)
        except Exception:  # weights of an unexpected form: the first error is the one to report
            bad = ""
        nothing = Evidence(0, self.settings.xs.shape[1], len(self.settings.xs), self.settings.horizon)
        if bad:
            return nothing._replace(first_non_finite=f"parameter {bad}"), ""
        return nothing, f"{type(error).__name__}: {error}"

    def _judged(self, step: int, evidence: Evidence, stderr: Any, failure: str, start: float) -> Record:
        """Apply the rules, remember which of them fire, and keep the record."""
        try:
            norms = self._norms.taken(step)
        except Exception as error:
            if not self._rows:
                raise
            norms, failure = NO_NORMS, failure or f"norm, clipped: {type(error).__name__}: {error}"
        if norms.first_non_finite is not None and not evidence.first_non_finite:
            evidence = evidence._replace(first_non_finite=f"the gradient norm of step {norms.first_non_finite}")
        findings: tuple[Finding, ...] = ()
        try:
            findings = judge(evidence)
        except Exception as error:
            if not self._rows:
                raise
            failure = failure or f"{type(error).__name__}: {error}"
        firing = {finding.rule for finding in findings}
        new = tuple(finding.rule for finding in findings if finding.rule not in self._firing)
        # a record without measurements cannot say that a rule has cleared
        self._firing = firing if evidence.log_norm is not None else self._firing | firing
        self._fired |= firing
        self.last = Record(step, evidence, stderr, norms, findings, new, failure, time.perf_counter() - start)
        self._rows = [row for row in self._rows if row["step"] < step]
        self._rows.append(labelled.row_of(self.last))
        return self.last

    def _sent(self, record: Record) -> list[str]:
        """Send the record to the sinks, and return what went wrong."""
        numbers = sinks.numbers_of(record, sorted(self._fired))
        failures = []
        for sink in self.settings.sinks:
            try:
                sinks.write(sink, numbers, record.step)
            except Exception as error:
                failures.append(f"{type(sink).__name__} did not take the numbers: {type(error).__name__}: {error}")
        return failures
