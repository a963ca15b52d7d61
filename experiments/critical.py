"""The gains at which gradients stop vanishing and start to explode: from exponents and their errors to a table."""

import textwrap
from typing import Any, NamedTuple

import numpy as np
import xarray

import rnn_dynamics as rd

NAMES = {"linear": "linear", "elman": "tanh", "gru": "GRU", "lstm": "LSTM"}
# the matrix whose eigenvalues give the prediction 1/ρ(W)
RECURRENT = {
    "linear": lambda params: params.W,
    "elman": lambda params: params.W,
    "gru": lambda params: params.candidate.W,
    "lstm": lambda params: params.cell.W,
}
NEITHER = 0.01  # nats per step: over 100 steps the gradient changes by at most a factor of e


def regimes(dataset: xarray.Dataset) -> xarray.DataArray:
    """Return the `regime` of the largest exponent; the dataset has `exponents`, `stderr`, `reliable` and `length`."""
    first = dataset.isel(index=0)
    return xarray.apply_ufunc(regime, first.exponents, first.stderr, first.reliable.astype(bool), dataset.length)


def regime(exponent: np.ndarray, stderr: np.ndarray, reliable: np.ndarray, length: int | np.ndarray) -> np.ndarray:
    """Return -1 where gradients vanish, 1 where they explode, 0 where they do neither, NaN where that is unknown.

    The sign of an exponent is known if its size exceeds two standard errors plus 1/length, one e-fold over the whole
    run: slower growth cannot be told from no growth. "Neither" is also a measurement: the exponent lies within that
    margin, and the margin is narrower than `NEITHER`.
    """
    margin = 2 * stderr + 1 / length
    told = np.where(np.abs(exponent) > margin, np.sign(exponent), np.where(margin < NEITHER, 0.0, np.nan))
    return np.where(exponent == -np.inf, -1.0, np.where(reliable & np.isfinite(exponent + stderr), told, np.nan))


class Critical(NamedTuple):
    """The gains at which a cell's gradients change their regime, measured as (minimum, median, maximum) over the nets.

    inf lies above the swept gains, -inf below them. The other fields are the predictions of rules and of theory, as
    medians over the nets.
    """

    cell: str
    hidden: int
    vanish_below: tuple[float, float, float]
    explode_beyond: tuple[float, float, float]
    by_norm: float
    by_radius: float
    at_rest: float
    mean_field: float


def critical_gains(dataset: xarray.Dataset) -> list[Critical]:
    """Return one row per cell and width."""
    return [
        critical(str(cell), int(hidden), dataset.sel(cell=cell, hidden=hidden))
        for cell in dataset.cell.values
        for hidden in dataset.hidden.values
    ]


def critical(cell: str, hidden: int, at: xarray.Dataset) -> Critical:
    """Return the row of one cell at one width."""
    gain, fates = at.gain.values, at.regime.transpose("net", "gain").values
    first = at.exponents.isel(index=0).transpose("net", "gain").values
    rest = np.log(at.radius_at_rest.transpose("net", "gain").values)
    return Critical(
        cell=cell,
        hidden=hidden,
        vanish_below=over_nets([stops_vanishing(gain, *net) for net in zip(first, fates, strict=True)]),
        explode_beyond=over_nets([begins_to_explode(gain, *net) for net in zip(first, fates, strict=True)]),
        by_norm=float((at.gain / at.norm).median()) if cell in ("linear", "elman") else np.nan,
        by_radius=float((at.gain / at.radius).median()),
        at_rest=over_nets([begins_to_explode(gain, net, np.sign(net)) for net in rest])[1],
        mean_field=float(np.sqrt(rd.theory.edge_of_order(0.0))) if cell == "elman" else np.nan,
    )


def over_nets(found: list[float]) -> tuple[float, float, float]:
    """Return minimum, median and maximum. For an even number of nets, a median between a gain and inf is inf."""
    return float(np.min(found)), float(np.median(found)), float(np.max(found))


def stops_vanishing(gain: np.ndarray, exponents: np.ndarray, fates: np.ndarray) -> float:
    """Return the gain up to which λ₁ < 0; ±inf lies outside the swept gains, NaN means that no regime is known."""
    branch = np.arange(np.argmin(np.append(fates == -1, False)))
    others = np.flatnonzero(np.isfinite(fates) & (fates != -1))
    if not len(branch) or not len(others):
        return np.inf if len(branch) else -np.inf if len(others) else np.nan
    return zero_of_branch(gain, exponents, branch[::-1], others[0])


def begins_to_explode(gain: np.ndarray, exponents: np.ndarray, fates: np.ndarray) -> float:
    """Return the gain beyond which λ₁ > 0 throughout; ±inf lies outside the swept gains, NaN: no regime is known.

    "Throughout" means at every swept gain up to the last. What happens between two gains is not measured: if a finer
    grid meets windows of order within chaos, this gain moves up.
    """
    branch = np.arange(len(gain) - np.argmin(np.append(fates[::-1] == 1, False)), len(gain))
    others = np.flatnonzero(np.isfinite(fates) & (fates != 1))
    if not len(branch) or not len(others):
        return -np.inf if len(branch) else np.inf if len(others) else np.nan
    return zero_of_branch(gain, exponents, branch, others[-1])


def zero_of_branch(gain: np.ndarray, exponents: np.ndarray, branch: np.ndarray, end: int) -> float:
    """Return the gain at which a branch of λ₁ reaches 0, at the latest the gain at place `end`.

    `branch` lists its places from the edge inwards. λ₁ is taken as linear in ln gain and extrapolated from the first
    two places, because it may bend at the edge, from ln(g ρ) to the 0 of a cycle; a line across the edge would miss
    that. The result is exact for a linear net. Gains of unknown regime next to the edge widen the range allowed.
    """
    x, near, far = np.log(gain), branch[0], branch[1] if len(branch) > 1 else end
    slope = (exponents[near] - exponents[far]) / (x[near] - x[far])
    zero = x[near] - exponents[near] / slope if slope > 0 else x[end]
    return float(np.exp(np.clip(zero, min(x[near], x[end]), max(x[near], x[end]))))


def table(rows: list[Critical], gains: tuple[float, float]) -> str:
    """Format the critical gains by measurement, rule and theory; `gains` are the first and last gains of the sweep."""

    def measured(found: tuple[float, float, float]) -> str:
        least, middle, most = (shown(gain, gains) for gain in found)
        return f"{middle:>8} ({least} to {most})"

    heads = ("cell", "units", "gradients vanish below", "explode beyond", "1/σ(W)", "1/ρ(W)", "at rest", "χ₁ = 1")
    widths = (8, 7, 25, 25, 9, 9, 9, 9)
    cells = [heads] + [
        (
            NAMES[row.cell],
            str(row.hidden),
            measured(row.vanish_below),
            measured(row.explode_beyond),
            *(shown(gain, gains, absent="") for gain in (row.by_norm, row.by_radius, row.at_rest, row.mean_field)),
        )
        for row in rows
    ]
    lines = ("".join(f"{text:>{width}}" for text, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def shown(gain: float, gains: tuple[float, float], absent: str = "unknown") -> str:
    """Format a critical gain; its last digit is smaller than the distance between two gains."""
    if np.isinf(gain):
        return f"> {gains[1]:g}" if gain > 0 else f"< {gains[0]:g}"
    return absent if np.isnan(gain) else f"{gain:.2f}"


def finding(rows: list[Critical], config: Any) -> str:
    """Return the finding that the README states, with the numbers of the widest nets."""
    hidden = max(row.hidden for row in rows)
    row = {row.cell: row for row in rows if row.hidden == hidden}
    tanh, gru, lstm = row["elman"], row["gru"], row["lstm"]
    return textwrap.fill(
        f"Across {config.nets} undriven nets of {hidden} units, the median tanh net's gradients vanish below a gain "
        f"of {tanh.vanish_below[1]:.2f}, close to the {tanh.by_radius:.2f} at which the eigenvalues of W leave the "
        f"unit circle, but explode only beyond {tanh.explode_beyond[1]:.2f}. A GRU's gradients vanish up to "
        f"{gru.vanish_below[1]:.2f} and an LSTM's up to {lstm.vanish_below[1]:.2f}, where the eigenvalues predict "
        f"{gru.by_radius:.2f} and {lstm.by_radius:.2f}. The Jacobian along the trajectory, including gates and "
        "saturation, decides.",
        width=120,
    )


def summary(rows: list[Critical], config: Any) -> str:
    """Return the finding and the table as the README shows them."""
    step = (config.gains[1] - config.gains[0]) / (config.steps - 1)
    how = (
        f"Median over nets (minimum to maximum). Gains are {step:.2f} apart; where λ₁ bends, the critical gain is "
        "placed between two."
    )
    return f"\n{finding(rows, config)}\n\n```text\n{table(rows, config.gains)}\n```\n\n{how}\n\n"
