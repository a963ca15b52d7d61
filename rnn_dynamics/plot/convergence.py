"""How Lyapunov exponents settle while they are measured, and how sure they are in the end."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..measure import LyapunovSpectrum
from .caveats import DOUBTED, note, say_hidden
from .checked_arrays import axes_of, not_negative, same_shape
from .curves import band, curve


def convergence(axes: Axes, spectrum: LyapunovSpectrum, *, first: int = 4) -> Axes:
    """Running estimates of the `first` exponents over the steps behind them, on a logarithmic axis.

    The band is the last estimate ± its standard error; where that is not known (inf) there is none. Exponents that are
    not `reliable` are grey and dashed. `label_ends(axes)` writes λ_1, λ_2, .. at the ends.
    """
    history = axes_of("spectrum.history", spectrum.history, "blocks", "k")
    blocks, k = history.shape
    steps = same_shape("spectrum.steps", spectrum.steps, "spectrum.history", (blocks,)).astype(float)
    exponents, errors, reliable = (
        same_shape(f"spectrum.{name}", getattr(spectrum, name), "spectrum.history", (k,))
        for name in ("exponents", "stderr", "reliable")
    )
    reliable, errors = reliable.astype(bool), not_negative("spectrum.stderr", errors)
    if first < 1:
        raise ValueError(f"first: got {first}, expected at least 1")
    if not (steps[0] > 0 and (np.diff(steps) >= 0).all()):
        raise ValueError(f"spectrum.steps: got {steps}, expected positive numbers that do not fall")
    # a measurement that stopped early repeats its last row
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
