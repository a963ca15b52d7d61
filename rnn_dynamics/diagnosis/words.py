"""Numbers of a diagnosis as words."""

import math

import numpy as np
from numpy.typing import NDArray


def share(value: float) -> str:
    """Return a share in percent, such as "3 %"."""
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 1 or percent == 0 else f"{percent:.1g} %"


def power_of_e(log_value: float) -> str:
    """Return e to this power in both notations, such as "e^-7.4 (0.0006)"; "0" for -inf."""
    if not math.isfinite(log_value):
        return {-math.inf: "0", math.inf: "inf"}.get(log_value, "not a number")
    return f"e^{round(log_value, 1) + 0.0:.1f}" + (f" ({sized(math.exp(log_value))})" if abs(log_value) < 100 else "")


def factor(log_value: float) -> str:
    """Return e to this power as a plain number, or as a power of ten beyond 10^15."""
    decades = log_value / math.log(10)
    return f"{math.exp(log_value):.3g}" if abs(decades) < 15 else f"10^{decades:.0f}"


def with_error(value: float, stderr: float) -> str:
    """Return a number with its standard error, both to the digit that the error leaves: "-0.0460 ± 0.0003"."""
    if not math.isfinite(stderr):
        return f"{value:.3g} (error unknown)"
    if not stderr > 1e-5 * abs(value):
        return f"{value:.3g}"
    places = max(0, -math.floor(math.log10(float(f"{stderr:.1g}"))))
    return f"{value:.{places}f} ± {stderr:.1g}" if places <= 8 else f"{value:.3g} ± {stderr:.1g}"


def lags(value: float) -> str:
    """Return a number of steps, "more than were measured" for inf."""
    return f"{value:.0f}" if math.isfinite(value) else "never"


def span_of_lags(values: NDArray, middle: float | None = None) -> str:
    """Return some numbers of steps as their median, or another middle, with their range.

    For example "13 steps (10 to 17 over the sequences)".
    """
    values = np.asarray(values, np.float64)
    middle = float(np.median(values)) if middle is None else middle
    low, high = float(values.min()), float(values.max())
    unit = "step" if middle == 1 else "steps"
    if low == high == middle:
        return f"{lags(middle)} {unit}"
    end = f"to {lags(high)}" if math.isfinite(high) else "or more"
    return f"{lags(middle)} {unit} ({lags(low)} {end} over the sequences)"


def sized(value: float) -> str:
    """Return a number with two digits: "0.031", "12", "2300", "1.2e-08"."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:.0f}" if 100 <= abs(rounded) < 1e6 else f"{rounded:.2g}"


def as_power(log: float) -> str:
    """Return e to a logarithm, such as "e^-7.4"; "0" for -inf."""
    if log == -math.inf:
        return "0"
    return f"e^{log:.1f}" if math.isfinite(log) else "not finite"


def count(amount: float, noun: str) -> str:
    """Return "1 step", "2 steps", "2 batches"."""
    plural = noun + ("es" if noun.endswith("ch") else "s")
    return f"{amount:.0f} {noun if amount == 1 else plural}"


def bytes_in_words(size: float) -> str:
    """Return a number of bytes, such as "7.8 kB" or "62 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
