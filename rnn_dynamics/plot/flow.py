"""The norm of a backpropagated gradient over the lag, for one net or as quantiles over many."""

from typing import Any

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from ..measure import GradientFlow
from .caveats import say_hidden, say_some
from .checked_arrays import a_band, increasing, with_nets
from .curves import band, curve, quantile
from .decades import decades, in_powers_of_ten, in_whole_numbers


def gradient_flow(
    axes: Axes,
    log_norms: ArrayLike | GradientFlow,
    *,
    lag: ArrayLike | None = None,
    label: str | None = None,
    quantiles: tuple[float, float] = (0.1, 0.9),
    symbol: str = r"$\ell$",
    color: Any = None,
    **style: Any,
) -> Axes:
    """Draw the norm of ∂h_T/∂h_{T-ℓ} over the lag ℓ, as the median over nets with a band of quantiles.

    The y axis shows powers of ten. Where a norm is 0 (-inf), the curve ends in a triangle on the lower edge; where the
    lower quantile is 0, the band has no lower end. NaN leaves a gap, and nets that are NaN at a lag do not count there.
    A note below the axes says so. Another one counts 2-norms that may be too low. Call `label_ends(axes)` to write the
    label.

    Args:
        axes: The Axes to draw on.
        log_norms: The result of `rd.gradient_flow`, of one net or of a batch (several anchors count as several nets),
            of which the 2-norm is drawn, or the Frobenius norm where there is no 2-norm. Or natural logarithms of
            norms, of shape (lag,) or (nets, lag).
        lag: The lags in steps, increasing, of shape (lag,). Default: those of the result, or 0, 1, 2, ..
        label: The name of the curve. Default: none.
        quantiles: The lower and the upper quantile of the band, if there are several nets. Default: 0.1 and 0.9.
        symbol: How the notes write the lag.
        color: The colour of the curve and the band. Default: the next one of the colour cycle.
        **style: Options of `axes.plot` for the curve.

    Returns:
        The same Axes.

    Example:
        >>> W = jnp.array([0.8, 0.9, 1.1])[:, None, None] * jnp.eye(2)
        >>> measure = lambda W: rd.gradient_flow(lambda W, h, x: W @ h, W, jnp.ones(2), None, length=20)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.label_ends(rd.plot.gradient_flow(ax, jax.vmap(measure)(W), label="three nets"))
    """
    if isinstance(log_norms, GradientFlow):
        lag = np.asarray(log_norms.lag).reshape(-1, np.shape(log_norms.lag)[-1])[0] if lag is None else lag
    norms = _norms(log_norms) if isinstance(log_norms, GradientFlow) else log_norms
    heights = decades(with_nets("log_norms", norms, "nets", "lag"))
    length = heights.shape[1]
    lags = increasing("lag", np.arange(length) if lag is None else lag, "log_norms", (length,))
    low, high = a_band("quantiles", quantiles)
    color = curve(axes, lags, quantile(heights, 0.5), label=label, color=color, **style)
    if len(heights) > 1:
        band(axes, lags, quantile(heights, low), quantile(heights, high), color=color)
    say_hidden(axes, lags, heights, symbol, label=label)
    if isinstance(log_norms, GradientFlow) and log_norms.log_norm is not None:
        say_some(axes, ~np.asarray(log_norms.converged).reshape(heights.shape), "may be too low", "2-norms")
    in_powers_of_ten(axes.yaxis)
    if (lags == np.round(lags)).all():
        in_whole_numbers(axes.xaxis)
    of_frobenius = isinstance(log_norms, GradientFlow) and log_norms.log_norm is None
    name = r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert"
    axes.set(xlabel=r"lag $\ell$ (steps)", ylabel=f"{name}_F$" if of_frobenius else f"{name}_2$")
    return axes


def _norms(flow: GradientFlow) -> Any:
    """Return the curve to draw."""
    for norms in (flow.log_norm, flow.log_frobenius):
        if norms is not None:
            return norms
    raise ValueError('log_norms: got a GradientFlow without norms, expected one measured with curves=("norm",)')
