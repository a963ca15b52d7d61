"""Numbers as a reader meets them: three digits, percent, powers of ten, plurals."""

import math

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MINUS = "−"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with three significant digits; a whole number in full; "unknown" for None and NaN."""
    if value is None or value != value:
        return "unknown"
    if math.isinf(value):
        return "infinite" if value > 0 else f"{MINUS}infinite"
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{int(value)}".replace("-", MINUS)
    if not 1e-3 <= abs(value) < 1e6:
        power = math.floor(math.log10(abs(value)))
        return _scientific(value / 10.0**power, power, digits) if power > -300 else f"{value:.2g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _plain(f"{value:.{places}f}")


def with_error(value: float, error: float | None, *, sign: bool = False) -> str:
    """Return a number with its standard error, both to the digits that the error leaves; alone if it is unknown."""
    if error is None or not 0 < error < math.inf or not math.isfinite(value):
        return signed(value) if sign else number(value)
    power = math.floor(math.log10(error))
    if not -6 <= power <= 3:
        return f"{number(value)} ± {number(error, 1)}"
    places = max(0, -power)
    shown = f"{value:{'+' if sign else ''}.{places}f}".replace("-", MINUS)
    return f"{shown} ± {error:.{places}f}"


def signed(value: float) -> str:
    """Return a number with its sign, also if it is positive."""
    return f"+{number(value)}" if value > 0 else number(value)


def percent(share: float) -> str:
    """Return a share in percent, which is 0 or 100 only if it is exactly that."""
    if share != share:
        return "unknown"
    if 0 < share < 0.005:
        return "under 1 %" if share >= 0.0005 else "under 0.1 %"
    if 0.995 < share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"


def size(logarithm: float) -> str:
    """Return e^logarithm, however large or small: in percent near 1, else as a power of ten."""
    if logarithm != logarithm:
        return "not a number"
    if logarithm == -math.inf:
        return "exactly 0"
    if logarithm == math.inf:
        return "infinite"
    decades = logarithm / math.log(10)
    if -3 <= decades < 3:
        return factor(math.exp(logarithm))
    return _scientific(10 ** (decades - math.floor(decades)), math.floor(decades), 2)


def factor(value: float) -> str:
    """Return a factor below 1000 in percent if it is below 2, else as a multiple such as "12 times"."""
    if value < 2:
        return f"{100 * value:.0f} %" if value >= 0.1 else f"{100 * value:.2g} %"
    return f"{value:.3g} times"


def count(amount: int, noun: str, plural: str | None = None) -> str:
    """Return "1 step", "2 steps"; `plural` where an s is not enough."""
    return f"{amount} {noun if amount == 1 else plural or noun + 's'}"


def _plain(digits: str) -> str:
    """Return a decimal without the zeros at its end, and with a minus that is as wide as a digit."""
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits).replace("-", MINUS)


def _scientific(mantissa: float, power: int, digits: int) -> str:
    """Return mantissa · 10^power with raised digits."""
    shown = f"{mantissa:.{digits}g}"
    if abs(float(shown)) >= 10:
        shown, power = f"{float(shown) / 10:g}", power + 1
    return f"{shown}·10{str(power).translate(RAISED)}".replace("-", MINUS)
