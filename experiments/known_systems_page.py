"""The page of `known_systems`: a table of all systems, and why some fail a check. The command writes every number."""

import math
from collections.abc import Mapping
from importlib.metadata import version

import numpy as np
import xarray

from .known_systems_checks import CHECKS, ENDS, fails, is_far
from .known_systems_judge import EARLY, JUDGED

TITLE = """# Known systems

`python -m experiments.known_systems` writes this page. The systems are those of dysts {version} (MIT licence), which is
not needed to read it. Time is measured in the unit of the equations. Flows: RK4 with {steps} steps in a published
period unless the table says otherwise, float64, {settle} periods to reach the attractor, {turn} to turn the frame,
{periods} measured. Maps: as many steps.

![largest exponents next to published ones, and the three checks](../figures/known_systems.png)

## The checks

| check | limit | systems that pass |
|---|---|---|
"""
EXPLAINED = """
Exponents measure growth, and the ends of a trajectory add a number to it that does not grow with time. So no run of
{periods} periods can tell exponents that differ by less than {ends:g}/{periods} nats per period. "Twice the steps" is
the larger of two differences: for the {periods} periods that follow, and for the first half of those with half the time
step. That RK4 is a map too gives one more check, Σλ against its own mean ln|det J|: the largest relative difference is
{step_sum:.0e}.
"""
FAR_OFF = """
## Far from the published exponent

Where our λ₁ is not within a factor of two of the published one, another method is asked: two nearby trajectories,
integrated by SciPy's LSODA from the equations in NumPy, over {judged} periods after {early} periods and after
{settle}. If the two differ, the published number may be that of a transient. Neighbours of a regular trajectory part
linearly, which over {judged} periods is still about ln({judged})/{judged} nats per period. "None" says that a
trajectory left the range of numbers, or that the method took too long.

| system | published λ₁ | two trajectories, early | late | here |
|---|---|---|---|---|
"""
SAYS = {
    "zero": "the smallest absolute exponent of a flow, in nats per period",
    "sum": "Σλ - mean divergence (of a map, mean ln abs(det J)), relative to Σ abs(λ)",
    "twice": "the difference for twice the steps, in standard errors",
}
COLUMNS = "| system | exponents | published | dimension | published | zero | sum | twice |\n" + "|---" * 8 + "|\n"


def page(dataset: xarray.Dataset, left_out: Mapping[str, str], causes: Mapping[str, str]) -> str:
    """Return the page as Markdown; `causes` explains systems by their name."""
    failed = fails(dataset)
    text = TITLE.format(version=version("dysts"), **dataset.attrs)
    for check, (limit, _) in CHECKS.items():
        values = dataset[check].values[np.isfinite(dataset[check].values)]
        text += f"| {SAYS[check]} | {limit:g} | {np.sum(values <= limit)} of {len(values)} |\n"
    text += EXPLAINED.format(ends=ENDS, step_sum=float(dataset.step_sum.max()), **dataset.attrs)
    text += "\n## Systems that fail a check\n\n| system | fails | why |\n|---|---|---|\n"
    for name, checks in failed.items():
        text += f"| {name} | {', '.join(checks)} | {causes.get(name, 'not explained')} |\n"
    others = {name: why for name, why in causes.items() if name not in failed}
    if others:
        text += "\n## Other remarks\n\n| system | remark |\n|---|---|\n"
        text += "".join(f"| {name} | {why} |\n" for name, why in others.items())
    text += FAR_OFF.format(judged=JUDGED, early=EARLY, settle=dataset.attrs["settle"])
    for name in dataset.system.values:
        at = dataset.sel(system=name)
        if not is_far({key: at[key].values for key in ("exponents", "published", "flow")}):
            continue
        pairs = (("early", "early_stderr"), ("late", "late_stderr"))
        judge = [with_error(float(at[value]), float(at[error])) for value, error in pairs]
        ours = with_error(float(at.exponents[0]), float(at.stderr[0]))
        text += f"| {name} | {float(at.published.max()):.3g} | {judge[0]} | {judge[1]} | {ours} |\n"
    text += "\n## Left out\n\n| system | why |\n|---|---|\n"
    text += "".join(f"| {name} | {why} |\n" for name, why in left_out.items())
    for title, kind in (("Flows, per unit time", True), ("Maps, per step", False)):
        text += f"\n## {title}\n\n{COLUMNS}"
        for name in dataset.system.values[dataset.flow.values == kind]:
            text += line(dataset.sel(system=name), failed.get(str(name), []))
    return text


def line(at: xarray.Dataset, failed: list[str]) -> str:
    """Return the line of a table about one system."""
    n = int(at.components)
    ours = ", ".join(map(with_error, at.exponents.values[:n], at.stderr.values[:n]))
    theirs = ", ".join(f"{value:.3g}" for value in at.published.values[:n] if np.isfinite(value))
    name = str(at.system.values) + (" (forced)" if at.forced else "")
    if at.flow and int(at.steps) != at.attrs["steps"]:
        name += f", {int(at.steps)} steps"
    checks = [f"**{mark(at, check)}**" if check in failed else mark(at, check) for check in CHECKS]
    dimensions = [float(at[key]) for key in ("dimension", "published_dimension")]
    told = [f"{value:.3f}" if math.isfinite(value) else "" for value in dimensions]
    return f"| {name} | {ours} | {theirs} | {' | '.join(told)} | {' | '.join(checks)} |\n"


def mark(at: xarray.Dataset, check: str) -> str:
    """Return the value of a check."""
    value = float(at[check])
    return "" if math.isnan(value) else f"{value:.1f}" if check == "twice" else f"{value:.0e}"


def with_error(value: float, error: float) -> str:
    """Return "value ± error" with two digits of the error."""
    if not math.isfinite(value):
        return "none"
    digits = 6 if error == 0 or not math.isfinite(error) else 1 - math.floor(math.log10(error))
    digits = min(max(digits, 0), 8)
    return f"{value:.{digits}f} ± {error:.{digits}f}"
