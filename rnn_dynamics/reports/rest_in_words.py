"""What a report says of fixed points: sentences, captions, the lines of its tables."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fixed_points import Ending, FixedPoints
from .markup import Markup, element
from .network import Network
from .words import count, number, percent

MOST_POINTS = 12
# of an eigenvalue, which tells only near 1
DIGITS = 4
MANIFOLDS = {1: "a line", 2: "a surface"}


def was_found(network: Network) -> bool:
    """Return whether the search found any point to show."""
    return network.rest is not None and network.rest.found is not None and bool(shown(network.rest.found).any())


def shown(found: FixedPoints) -> NDArray:
    """Return which points are shown: those that are not far from the states visited, or all if all are."""
    near = ~np.asarray(found.outlier, bool)
    return near if near.any() else np.ones(len(near), bool)


def all_far(found: FixedPoints) -> bool:
    """Return whether all points are far from the states visited."""
    return bool(np.asarray(found.outlier).all())


def of_state_space(network: Network) -> str:
    """Say how many fixed points there are, how many are stable, and how slow and how unstable they are."""
    found = _found(network)
    fixed, stable = _fixed(found), _fixed(found) & np.asarray(found.stable)
    slow = int(np.sum(shown(found) & ~np.asarray(found.fixed)))
    if not fixed.any():
        return f"No fixed point was found, but {count(slow, 'slow point')}"
    said = [_how_many(found, fixed, stable)]
    if stable.any():
        said.append(f"the slowest time constant at a stable one is {_steps(slowest(found, stable))}")
    most = int(np.max(np.asarray(found.unstable)[fixed]))
    if most:
        said.append(f"at most {count(most, 'unstable direction')}")
    return "; ".join(said)


def _how_many(found: FixedPoints, fixed: NDArray, stable: NDArray) -> str:
    """Say how many fixed points there are and how many are stable; lines and surfaces of them count as one each."""
    dimensions = np.asarray(found.dimension)
    isolated, said = fixed & (dimensions == 0), []
    for manifold in np.unique(np.asarray(found.manifold)[fixed & ~isolated]):
        d = int(dimensions[fixed & (np.asarray(found.manifold) == manifold)].max())
        said.append(f"{MANIFOLDS.get(d, f'a {d}-dimensional continuum')} of fixed points")
    total, undecided = int(isolated.sum()), int(np.sum(isolated & np.asarray(found.undecided)))
    if total:
        of = int(np.sum(isolated & stable))
        which = ("which is stable" if of else "which is not stable") if total == 1 else f"{of or 'none'} of them stable"
        if undecided:
            which = "undecided" if total == 1 else f"{which}, {undecided} undecided"
        said.append(f"{count(total, 'fixed point')}, {which}")
    text = " and ".join(said)
    return text[:1].upper() + text[1:]


def of_point_eigenvalues(network: Network) -> str:
    """Say how large the eigenvalues at stable points and at the others are."""
    found = _found(network)
    sizes = np.abs(np.asarray(found.eigenvalues)).max(axis=1)
    stable = _fixed(found) & np.asarray(found.stable)
    others = "the other fixed points" if stable.any() else "the fixed points"
    groups = {"the stable points": stable, others: _fixed(found) & ~stable}
    groups["the slow points"] = shown(found) & ~np.asarray(found.fixed)
    said = [f"{number(sizes[those].max(), DIGITS)} at {name}" for name, those in groups.items() if those.any()]
    return f"The largest |λ| is {', '.join(said)}"


def state_space_caption(network: Network) -> str:
    """Say how to read the figure of state space, and what was searched."""
    found, held = _found(network), _rest(network).held
    endings = np.asarray(found.ending)
    lost = int(np.sum(endings == Ending.NOT_CONVERGED))
    far = int(np.sum(~shown(found)))
    parts = [
        f"Where a step returns the state it was given{f', with {held}' if held else ''}, in the first two principal "
        "components of the first sequence (grey).",
        "Filled: stable. Open: saddles, with unstable directions as lines. Crosses: slow points, where a "
        "step moves the state least.",
        f"Sought from {len(endings)} of its states, with noise" + (f"; {lost} of them led nowhere." if lost else "."),
        *([f"Left out: {far} far from the states visited."] if far else []),
        *(["Far from the states visited."] if all_far(found) else []),
    ]
    return " ".join(parts)


def point_eigenvalues_caption(network: Network) -> str:
    """Say how to read the eigenvalues at the points."""
    held = _rest(network).held
    return (
        f"Of the Jacobian at each point{f', with {held}' if held else ''}. Near a point, a disturbance along an "
        "eigenvector grows or shrinks |λ|-fold at each step, and turns where λ is not real."
    )


def numbers(network: Network) -> list[tuple[str, str]]:
    """Return the lines of the table of all numbers."""
    rest = network.rest
    if rest is None:
        return []
    if rest.found is None:
        return [("Fixed points", f"not looked for: {rest.why_not}")]
    found = rest.found
    fixed, stable = _fixed(found), _fixed(found) & np.asarray(found.stable)
    lines = [
        ("Fixed points; stable; undecided", _counts(fixed, stable, fixed & np.asarray(found.undecided))),
        ("Slow points", str(int(np.sum(shown(found) & ~np.asarray(found.fixed))))),
    ]
    if stable.any():
        lines.append(("Slowest time constant at a stable fixed point", _steps(slowest(found, stable))))
    return lines


def _counts(*those: NDArray) -> str:
    return "; ".join(str(int(each.sum())) for each in those)


def points_table(network: Network) -> Markup:
    """Return the table of fixed points and slow points, the most visited first, or why there is none."""
    rest = network.rest
    if rest is None or rest.found is None:
        why = "" if rest is None else f": {rest.why_not}"
        return element("p", f"Not looked for{why}.", class_="lead")
    places = np.flatnonzero(shown(rest.found))
    if not len(places):
        return element("p", "None was found.", class_="lead")
    heads = ("Point", "|λ₁|", "Slowest decay", "Turns in", "Share")
    head = element("thead", element("tr", *(element("th", title, scope="col") for title in heads)))
    body = [_row(rest.found, int(i)) for i in places[:MOST_POINTS]]
    more = len(places) - MOST_POINTS
    rest_of_them = [element("p", f"{more} more are not listed.", class_="caption")] if more > 0 else []
    return Markup("".join([element("table", head, element("tbody", *body), class_="points"), *rest_of_them]))


def _row(found: FixedPoints, i: int) -> Markup:
    """Return the line of one point."""
    values, frequencies = np.asarray(found.eigenvalues)[i], np.asarray(found.frequencies)[i]
    # of the directions that shrink, the one that does so most slowly
    tau = slowest(found, np.arange(len(np.asarray(found.fixed))) == i)
    turns = float(frequencies[0])
    cells = (
        number(float(np.abs(values[0])), DIGITS),
        _steps(tau) if tau == tau else "–",
        _steps(1 / turns) if turns > 0 else "–",
        percent(float(found.share[i])),
    )
    kind = _kind(found, i) + (", far from the states visited" if found.outlier[i] else "")
    return element("tr", element("th", kind, scope="row"), *(element("td", each) for each in cells))


def _kind(found: FixedPoints, i: int) -> str:
    if not found.fixed[i]:
        return f"slow: moves {number(float(found.speed[i]))} per step"
    if found.undecided[i]:
        on = int(found.dimension[i])
        return f"fixed, on {MANIFOLDS.get(on, f'a {on}-dimensional continuum')}" if on else "fixed, undecided"
    return "stable" if found.stable[i] else f"{int(found.unstable[i])} unstable"


def slowest(found: FixedPoints, those: NDArray) -> float:
    """Return the longest time constant of a direction that shrinks, in steps, at these points; NaN without one.

    One eigenvalue of a slow point is 1 by what such a point is, up to rounding, and says nothing of the network.
    """
    times = np.array(found.time_constants, float)
    nearest = np.abs(np.asarray(found.eigenvalues) - 1).argmin(axis=1)
    slow = np.flatnonzero(~np.asarray(found.fixed))
    times[slow, nearest[slow]] = np.nan
    times = times[those]
    times = times[np.isfinite(times) & (times >= 0)]
    return float(times.max()) if times.size else float("nan")


def _steps(amount: float) -> str:
    return f"{number(amount)} step{'' if amount == 1 else 's'}"


def _fixed(found: FixedPoints) -> NDArray:
    return np.asarray(found.fixed, bool) & shown(found)


def _rest(network: Network) -> Any:
    assert network.rest is not None
    return network.rest


def _found(network: Network) -> FixedPoints:
    found = _rest(network).found
    assert isinstance(found, FixedPoints)
    return found
