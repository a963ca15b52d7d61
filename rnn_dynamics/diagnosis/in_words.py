"""Numbers as they stand in sentences."""

import math


def sized(value: float) -> str:
    """Return a number with two digits: "0.031", "12", "2300", "1.2e-08"."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:.0f}" if 100 <= abs(rounded) < 1e6 else f"{rounded:.2g}"


def as_power(log: float) -> str:
    """Return e to a logarithm, such as "e^-7.4"; "0" for -inf."""
    if log == -math.inf:
        return "0"
    return f"e^{log:.1f}" if math.isfinite(log) else "not finite"


def percent(share: float) -> str:
    """Return a share, such as "21 %"."""
    return f"{100 * share:.0f} %"


def bytes_in_words(size: float) -> str:
    """Return a number of bytes, such as "7.8 kB" or "62 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
