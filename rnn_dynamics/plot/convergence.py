"""Running estimates of Lyapunov exponents during a measurement, with their final standard errors."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..measure import LyapunovSpectrum
from .caveats import DOUBTED, note, say_hidden
from .checked_arrays import axes_of, not_negative, same_shape
from .curves import band, curve


def convergence(axes: Axes, spectrum: LyapunovSpectrum, *, first: int = 4) -> Axes:
    """Draw running estimates of the largest Lyapunov exponents over the number of steps measured.

    The x axis is logarithmic. The band is the last estimate ± its standard error; there is none where the error is
    unknown (inf). Exponents that are not `reliable` are grey and dashed. Notes below the axes count these and say where
    an estimate is NaN or infinite. Call `label_ends(axes)` to write λ_1, λ_2, .. at the ends of the curves.

    Args:
        axes: The Axes to draw on.
        spectrum: The result of `rd.lyapunov_spectrum`, of one net: `history` of shape (segments, k) and `exponents` of
            shape (k,) in nats per step, `steps` of shape (segments,).
        first: How many of the k exponents to draw, the largest first. Default: 4.

    Returns:
        The same Axes.

    Example:
        >>> W = jnp.diag(jnp.array([1.5, 1.0, 0.5]))
        >>> spectrum = rd.lyapunov_spectrum(lambda W, h, x: W @ h, W, jnp.ones(3), None, length=100)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.label_ends(rd.plot.convergence(ax, spectrum))
    """
    history = axes_of("spectrum.history", spectrum.history, "segments", "k")
    segments, k = history.shape
    steps = same_shape("spectrum.steps", spectrum.steps, "spectrum.history", (segments,)).astype(float)
    exponents, errors, reliable = (
        same_shape(f"spectrum.{name}", getattr(spectrum, name), "spectrum.history", (k,))
        for name in ("exponents", "stderr", "reliable")
    )
    reliable, errors = reliable.astype(bool), not_negative("spectrum.stderr", errors)
    if first < 1:
        raise ValueError(f"first: got {first}, expected at least 1")
    if not (steps[0] > 0 and (np.diff(steps) >= 0).all()):
        raise ValueError(f"spectrum.steps: got {steps}, expected positive numbers, none smaller than the one before")
    # after an early stop the remaining rows repeat the last one
    new = np.concatenate([[True], np.diff(steps) > 0])
    steps, history = steps[new], history[new].astype(float)
    for i in range(min(first, k)):
        look: dict[str, Any] = {} if reliable[i] else {"color": DOUBTED, "ls": "--"}
        name = rf"$\lambda_{{{i + 1}}}$"
        color = curve(axes, steps, history[:, i], label=name, **look)
        if np.isfinite(exponents[i]) and np.isfinite(errors[i]):
            ends = [np.full(len(steps), exponents[i] + sign * errors[i], float) for sign in (-1, 1)]
            band(axes, steps, *ends, color=color, alpha=0.25)
        say_hidden(axes, steps, history[None, :, i], "$T$", label=name, lowest=r"$-\infty$")
    if not reliable[:first].all():
        note(axes, f"grey: not reliable, {(~reliable[:first]).sum()} of {min(first, k)}")
    axes.set(xscale="log", xlabel="steps measured $T$", ylabel=r"running exponent $\lambda_i$ (nats per step)")
    return axes
