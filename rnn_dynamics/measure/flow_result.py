"""The result of `gradient_flow`, from what its loop has left at every step."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..machinery import entry
from ..machinery.lag_loop import RawCurves

CURVES = ("norm", "frobenius", "bound")


class GradientFlow(NamedTuple):
    """Curves over the lag ℓ = 0, 1, ..; natural logarithms throughout. A leading axis for the anchors, if there are.

    A curve that was not asked for is None, and so is what belongs to it (`| Any` spares others a check for that).

    log_norm       ln ‖∂h_T/∂h_{T-ℓ}‖₂ of the whole state or of the block asked for; of probes a lower bound
    log_frobenius  the same in the Frobenius norm; of probes an estimate
    log_bound      Σ ln ‖J_t‖₂ over these lags, what the product could be at most
    converged      whether log_norm is right; where False it may be too low, as it is from probes after lag 0
    bound_converged  the same for all terms of log_bound up to this lag
    stderr         standard error of log_frobenius: 0 but for probes, inf for a single one
    """

    lag: Int[Array, " lags"]
    log_norm: Float[Array, "*anchors lags"] | Any
    log_frobenius: Float[Array, "*anchors lags"] | Any
    log_bound: Float[Array, "*anchors lags"] | Any
    converged: Bool[Array, "*anchors lags"] | Any
    bound_converged: Bool[Array, "*anchors lags"] | Any
    stderr: Float[Array, "*anchors lags"] | Any


def flow_of(
    xp: Any, raw: RawCurves, *, size: int, curves: tuple[str, ...], probes: int | None, average: bool
) -> GradientFlow:
    """Logarithms over the lags, from lag 0, whose product is the identity with `size` ones in the part asked for."""
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
        log_frobenius = scale + xp.log(raw.square) / 2 - math.log(probes or 1) / 2
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
    """The sums of the terms so far; in JAX a loop, since `jnp.cumsum` takes longer to compile than to run."""
    if xp is np:
        return np.cumsum(terms, axis=-1, dtype=np.float64).astype(terms.dtype)
    over_time = jnp.moveaxis(terms, -1, 0)
    start = entry.varying_like(jnp.zeros_like(over_time[0]), terms)
    return jnp.moveaxis(jax.lax.scan(lambda total, term: (total + term,) * 2, start, over_time)[1], 0, -1)


def _all_so_far(xp: Any, flags: Bool[Any, "*anchors lags"]) -> Bool[Any, "*anchors lags"]:
    """Whether all flags up to here are set."""
    index = xp.broadcast_to(xp.arange(flags.shape[-1]), flags.shape)
    first_unset = xp.min(xp.where(flags, flags.shape[-1], index), axis=-1, keepdims=True)
    return index < first_unset


def _mean(xp: Any, flow: GradientFlow) -> GradientFlow:
    """The mean of every curve over the anchors; trusted where all of them are."""

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
