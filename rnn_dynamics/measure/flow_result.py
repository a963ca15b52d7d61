"""The result of `gradient_flow`, computed from what its loop returns for every step."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..machinery import entry
from ..machinery.lag_loop import RawCurves
from ..machinery.printed import Table, fields_of, number, printable, share, span
from .reliability import doubts_of_flow, reasons

CURVES = ("norm", "frobenius", "bound")


@printable
class GradientFlow(NamedTuple):
    """Norms of the backpropagated Jacobian product over the lag ℓ = 0, 1, .., in natural logarithms.

    With `anchors` every curve has a leading axis for them, unless `average=True`. A curve that was not requested is
    None, and so are the fields that belong to it.

    Attributes:
        lag: The lags ℓ, (lags + 1,), in steps.
        log_norm: ln ‖∂h_T/∂h_{T-ℓ}‖₂ of the whole state or the requested block, (lags + 1,); with random directions a
            lower bound.
        log_frobenius: The same in the Frobenius norm, (lags + 1,); with random directions an estimate.
        log_bound: Σ ln ‖J_t‖₂ over these lags, (lags + 1,), the most that the product could be.
        converged: Whether log_norm is right, (lags + 1,). Where False it may be too low. With random directions it is
            False after lag 0. `doubts`, `reasons` and `reliable` combine this, `bound_converged` and values that are no
            numbers.
        bound_converged: Whether all terms of log_bound up to this lag are right, (lags + 1,).
        stderr: The standard error of log_frobenius, (lags + 1,): 0 without random directions, inf for a single
            direction.
    """

    # `| Any` spares callers a check for None

    lag: Int[Array, " lags"]
    log_norm: Float[Array, "*anchors lags"] | Any
    log_frobenius: Float[Array, "*anchors lags"] | Any
    log_bound: Float[Array, "*anchors lags"] | Any
    converged: Bool[Array, "*anchors lags"] | Any
    bound_converged: Bool[Array, "*anchors lags"] | Any
    stderr: Float[Array, "*anchors lags"] | Any

    @property
    def doubts(self) -> Int[Array, "*anchors lags"]:
        """What is doubtful at each lag, as a sum of `rd.Doubt`: a curve may be too low, or is not a number."""
        curves = [self.log_norm, self.log_frobenius, self.log_bound]
        flags = [self.converged, self.bound_converged]
        return doubts_of_flow(*([values for values in some if values is not None] for some in (curves, flags)))

    @property
    def reliable(self) -> Bool[Array, "*anchors lags"]:
        """Whether there is no doubt about any of the curves at this lag."""
        return self.doubts == 0

    @property
    def reasons(self) -> np.ndarray:
        """The doubts at each lag in words, an array of strings; "" where there is none."""
        return reasons(self.doubts)

    def _headline(self) -> str:
        lags = np.shape(self.lag)[-1] - 1
        curves = {"2-norm": self.log_norm, "Frobenius norm": self.log_frobenius, "bound": self.log_bound}
        name, last = next((name, curve) for name, curve in curves.items() if curve is not None)
        converged = "" if self.converged is None else f"; {share(self.converged, 'converged')}"
        return f"(lags={lags}): ln‖∂h_T/∂h_(T-{lags})‖ = {span(np.asarray(last)[..., -1])} ({name}){converged}"

    def _table(self) -> Table:
        if np.ndim(self.lag) > 1 or any(np.ndim(curve) > 1 for curve in self[1:] if curve is not None):
            return fields_of(self)
        names = [name for name in self._fields[1:] if getattr(self, name) is not None]
        last = len(self.lag) - 1
        shown = sorted({round(step) for step in np.geomspace(1, max(last, 1), 20)} | {0, last})
        rows = [[str(int(self.lag[i])), *(number(getattr(self, name)[i]) for name in names)] for i in shown]
        return Table(["lag", *names], rows)


def flow_of(
    xp: Any, raw: RawCurves, *, size: int, curves: tuple[str, ...], directions: int | None, average: bool
) -> GradientFlow:
    """Turn the raw curves into logarithms, with lag 0 in front: there the requested part has `size` ones (identity)."""
    dtype = raw.square.dtype
    raw = jax.tree.map(lambda curve: curve[..., ::-1], raw._replace(begun=None))._replace(begun=raw.begun)
    scale = raw.exponent.astype(dtype) * math.log(2)

    def curve(first: float | bool, later: Any) -> Any:
        return xp.concatenate([xp.full((*later.shape[:-1], 1), first, later.dtype), later], axis=-1)

    log_norm = log_frobenius = log_bound = converged = bound_converged = stderr = None
    if raw.norm is not None:
        values, converged = raw.norm
        log_norm = scale + xp.log(values)
        if raw.begun is not None:
            log_norm, converged = log_norm - xp.log(raw.begun)[..., None], xp.zeros_like(converged)
        log_norm, converged = curve(0.0 if size else -math.inf, log_norm), curve(True, converged)
    if "frobenius" in curves:
        log_frobenius = scale + xp.log(raw.square) / 2 - math.log(directions or 1) / 2
        log_frobenius = curve(math.log(size) / 2 if size else -math.inf, log_frobenius)
        stderr = curve(0.0, xp.zeros_like(scale) if raw.spread is None else raw.spread)
    if raw.step_norm is not None:
        values, certain = raw.step_norm
        log_bound, bound_converged = curve(0.0, _sums(xp, xp.log(values))), curve(True, _all_so_far(xp, certain))
    flow = GradientFlow(
        xp.arange(raw.square.shape[-1] + 1), log_norm, log_frobenius, log_bound, converged, bound_converged, stderr
    )
    return _mean(xp, flow) if average else flow


def _sums(xp: Any, terms: Float[Any, "*anchors lags"]) -> Float[Any, "*anchors lags"]:
    """Return the cumulative sums; in JAX by a loop, because `jnp.cumsum` takes longer to compile than to run."""
    if xp is np:
        return np.cumsum(terms, axis=-1, dtype=np.float64).astype(terms.dtype)
    over_time = jnp.moveaxis(terms, -1, 0)
    start = entry.varying_like(jnp.zeros_like(over_time[0]), terms)
    return jnp.moveaxis(jax.lax.scan(lambda total, term: (total + term,) * 2, start, over_time)[1], 0, -1)


def _all_so_far(xp: Any, flags: Bool[Any, "*anchors lags"]) -> Bool[Any, "*anchors lags"]:
    """Return for each position whether all flags up to it are set."""
    index = xp.broadcast_to(xp.arange(flags.shape[-1]), flags.shape)
    first_unset = xp.min(xp.where(flags, flags.shape[-1], index), axis=-1, keepdims=True)
    return index < first_unset


def _mean(xp: Any, flow: GradientFlow) -> GradientFlow:
    """Average every curve over the anchors; the mean counts as converged where all of them are."""

    def mean(curve: Any) -> Any:
        return None if curve is None else curve.mean(axis=0)

    def everywhere(flag: Any) -> Any:
        return None if flag is None else flag.all(axis=0)

    return GradientFlow(
        lag=flow.lag,
        log_norm=mean(flow.log_norm),
        log_frobenius=mean(flow.log_frobenius),
        log_bound=mean(flow.log_bound),
        converged=everywhere(flow.converged),
        bound_converged=everywhere(flow.bound_converged),
        stderr=None if flow.stderr is None else xp.sqrt(xp.mean(flow.stderr**2, axis=0) / len(flow.stderr)),
    )
