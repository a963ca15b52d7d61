"""Find the gain at which a gradient keeps its full size up to the horizon, by measuring it for a few gains."""

import math
from collections.abc import Callable

import numpy as np


def secant_gain(log_gradient: Callable[[float], float], now: float, horizon: int, *, tries: int = 5) -> float:
    """Return the factor of the recurrent weights at which the gradient at the horizon is nearest to full size.

    Args:
        log_gradient: The logarithm of the gradient at the horizon for a factor, in nats.
        now: Its value at the factor 1.
        horizon: The lag in steps.
        tries: How many factors to try.

    Returns:
        The best of the factors that were tried, between a quarter and 4.
    """
    points = [(0.0, now)]
    at = -now / horizon  # exact for a linear net
    for _ in range(tries):
        at = float(np.clip(at, -math.log(4), math.log(4)))
        if any(abs(at - tried) < 1e-4 for tried, _ in points):
            break
        points.append((at, log_gradient(math.exp(at))))
        if abs(points[-1][1]) < 0.1:
            break
        at = _next(points)
    finite = [point for point in points if math.isfinite(point[1])]
    return math.exp(min(finite, key=lambda point: abs(point[1]))[0]) if finite else 1.0


def _next(points: list[tuple[float, float]]) -> float:
    """Return where the line through the two nearest points on either side of 0, or else the two best, meets 0."""
    above = [p for p in points if p[1] > 0]
    below = [p for p in points if p[1] <= 0 and math.isfinite(p[1])]
    if above and below:
        (a, fa), (b, fb) = min(above, key=lambda p: p[1]), max(below, key=lambda p: p[1])
        share = min(0.9, max(0.1, fb / (fb - fa)))
        return b + share * (a - b)
    (a, fa), (b, fb) = points[-2], points[-1]
    slope = (fb - fa) / (b - a) if math.isfinite(fa) and math.isfinite(fb) else 0.0
    stepped = -fb / slope if slope > 0 else math.copysign(0.5, -fb)
    return b + float(np.clip(stepped, -0.7, 0.7))
