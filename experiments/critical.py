"""The gains at which gradients change their fate: from exponents over the gain, with their errors, to a table."""

import textwrap
from typing import NamedTuple

import numpy as np
import xarray

import rnn_dynamics as rd

NAMES = {"linear": "linear", "elman": "tanh", "gru": "GRU", "lstm": "LSTM"}


def regimes(dataset: xarray.Dataset) -> xarray.DataArray:
    """-1, 0 or 1 by the sign of λ₁, NaN where it is not reliable.

    0 within two standard errors and one e-fold of the whole run: what grows less is not told from what does not grow.
    """
    first = dataset.isel(index=0)
    margin = 2 * first.stderr + 1 / dataset.length
    known = first.reliable.astype(bool) & np.isfinite(first.exponents)
    return xarray.where(known, np.sign(first.exponents).where(np.abs(first.exponents) > margin, 0.0), np.nan)


class Critical(NamedTuple):
    """The gains at which a cell's gradients change their fate: measured, as (least, median, greatest) of the nets.

    inf is beyond the gains swept. What rules and theory say of them stands beside, as medians over the nets.
    """

    cell: str
    hidden: int
    vanish_below: tuple[float, float, float]
    explode_beyond: tuple[float, float, float]
    by_radius: float
    at_rest: float
    mean_field: float


def critical_gains(dataset: xarray.Dataset) -> list[Critical]:
    """A row for each cell and width."""
    return [
        critical(str(cell), int(hidden), dataset.sel(cell=cell, hidden=hidden))
        for cell in dataset.cell.values
        for hidden in dataset.hidden.values
    ]


def critical(cell: str, hidden: int, at: xarray.Dataset) -> Critical:
    gain, regime = at.gain.values, at.regime.transpose("net", "gain").values
    first = at.exponents.isel(index=0).transpose("net", "gain").values
    rest = np.log(at.radius_at_rest.transpose("net", "gain").values)

    def over_nets(found: list[float]) -> tuple[float, float, float]:
        return min(found), float(np.median(found)), max(found)

    return Critical(
        cell=cell,
        hidden=hidden,
        vanish_below=over_nets([stops_vanishing(gain, *net) for net in zip(first, regime, strict=True)]),
        explode_beyond=over_nets([begins_to_explode(gain, *net) for net in zip(first, regime, strict=True)]),
        by_radius=float((at.gain / at.radius).median()),
        at_rest=over_nets([begins_to_explode(gain, net, np.sign(net)) for net in rest])[1],
        mean_field=float(np.sqrt(rd.theory.edge_of_order(0.0))) if cell == "elman" else np.nan,
    )


def stops_vanishing(gain: np.ndarray, exponents: np.ndarray, regime: np.ndarray) -> float:
    """The gain up to which λ₁ < 0."""
    others = np.flatnonzero(regime != -1)
    return zero_before(gain, exponents, others[0] if len(others) else len(gain))


def begins_to_explode(gain: np.ndarray, exponents: np.ndarray, regime: np.ndarray) -> float:
    """The gain beyond which λ₁ > 0 throughout."""
    others = np.flatnonzero(regime != 1)
    return zero_before(gain, exponents, others[-1] + 1 if len(others) else 0)


def zero_before(gain: np.ndarray, exponents: np.ndarray, place: int) -> float:
    """Where between the last gain and the one at `place` a curve is 0, taken as straight in ln gain.

    For a linear net, whose exponent is ln g + ln ρ, that is exact. inf if the place is beyond the last gain.
    """
    if place == len(gain):
        return np.inf
    if place == 0:
        return float(gain[0])
    (low, high), (before, after) = exponents[place - 1 : place + 1], np.log(gain[place - 1 : place + 1])
    share = np.clip(-low / (high - low), 0, 1) if high != low else 1.0
    return float(np.exp(before + share * (after - before)))


def table(rows: list[Critical], greatest: float) -> str:
    """The critical gains by measurement, by rule and by theory; `greatest` is the last gain that was swept."""

    def shown(gain: float) -> str:
        return f"{gain:.3f}" if np.isfinite(gain) else f"> {greatest:g}" if gain > 0 else ""

    def measured(gains: tuple[float, float, float]) -> str:
        least, middle, most = map(shown, gains)
        return f"{middle:>9} ({least} to {most})"

    heads = ("cell", "units", "gradients vanish below", "explode beyond", "1/ρ(W)", "at rest", "χ₁ = 1")
    widths = (8, 7, 28, 28, 9, 9, 9)
    cells = [heads] + [
        (
            NAMES[row.cell],
            str(row.hidden),
            measured(row.vanish_below),
            measured(row.explode_beyond),
            *map(shown, (row.by_radius, row.at_rest, row.mean_field)),
        )
        for row in rows
    ]
    return "\n".join("".join(f"{text:>{width}}" for text, width in zip(line, widths, strict=True)) for line in cells)


def finding(rows: list[Critical], nets: int, greatest: float) -> str:
    """What the README says, with the numbers of the widest nets."""
    hidden = max(row.hidden for row in rows)
    row = {row.cell: row for row in rows if row.hidden == hidden}
    tanh, gru, lstm = row["elman"], row["gru"], row["lstm"]
    return textwrap.fill(
        f"Of {nets} nets without input, {hidden} units each, half of the tanh nets lose their gradients below a gain "
        f"of {tanh.vanish_below[1]:.2f} and half see them explode beyond {tanh.explode_beyond[1]:.2f}, where the "
        f"eigenvalues of W say {tanh.by_radius:.2f} for both; a GRU's vanish up to {gru.vanish_below[1]:.2f} and an "
        f"LSTM's up to {lstm.vanish_below[1]:.2f}, where 1/ρ(W) is {gru.by_radius:.2f} and {lstm.by_radius:.2f}; those "
        f"that explode for good up to {greatest:g} do so from {gru.explode_beyond[0]:.2f} and "
        f"{lstm.explode_beyond[0]:.2f} on at the earliest. What decides is the Jacobian along the trajectory, gates "
        f"and saturation included: at rest it becomes unstable at {tanh.at_rest:.2f}, {gru.at_rest:.2f} and "
        f"{lstm.at_rest:.2f}.",
        width=120,
    )


def summary(rows: list[Critical], nets: int, greatest: float) -> str:
    """Finding and table, as the README has them."""
    return f"\n{finding(rows, nets, greatest)}\n\n```text\n{table(rows, greatest)}\n```\n\n"
