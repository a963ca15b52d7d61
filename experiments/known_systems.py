"""Do the exponents agree with what is published for well-known chaotic systems, and with checks that need no book?

The systems are the flows without delay and the maps of dysts, 150 in all. A flow becomes a step by the classical
Runge-Kutta method. Three checks need nobody's number: one exponent of a flow is 0, because a shift along the trajectory
neither grows nor shrinks; the exponents add up to the mean divergence; and twice the steps, for twice the time or in
the same time, give the same within the errors. The table, and an explanation of each system that fails a check, is
docs/known_systems.md.
"""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tyro
import xarray

from .figure import FIGURES, Output, folder, write
from .known_systems_checks import CHECKS, checked, fails
from .known_systems_equations import read
from .known_systems_figure import draw
from .known_systems_measure import Plan
from .known_systems_one import kept
from .known_systems_page import page


@dataclass(frozen=True)
class Config(Output):
    """All systems, or the named ones. Times are in periods of a flow; `steps` of them are one period."""

    systems: tuple[str, ...] = ()
    periods: int = 500
    steps: int = 400
    settle: int = 500
    turn: int = 10
    workers: int | None = None
    """Processes that measure side by side. Default: one for each core."""
    store: Path | None = None
    """Folder that keeps one file per system. Systems that are there are not measured again."""


def run(config: Config = Config()) -> xarray.Dataset:
    """Measure the systems side by side, and return exponents over (system, index), NaN where there are fewer."""
    names = config.systems or tuple(read()[0])
    plan = Plan(config.periods, config.steps, config.settle, config.turn)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = config.workers or cores
    arguments = (names, [plan] * len(names), [config.store] * len(names))
    if workers == 1:
        found = list(map(kept, *arguments))
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            found = list(pool.map(kept, *arguments))
    values = {key: [each[key] for each in found] for key in found[0]}
    fields = {
        key: (("system", "index") if np.ndim(rows[0]) else "system", np.asarray(rows)) for key, rows in values.items()
    }
    return xarray.Dataset(fields, coords={"system": list(names)}, attrs=plan._asdict())


def main() -> None:
    """Print how many systems pass each check and which do not, and write the figure and the page."""
    config = tyro.cli(Config)
    begun = time.perf_counter()
    dataset = checked(run(config))
    failed = fails(dataset)
    print(f"{dataset.sizes['system']} systems, {int(dataset.flow.sum())} of them flows")
    print(f"{dataset.seconds.sum().item():.0f} s of processor time, {time.perf_counter() - begun:.0f} s in all")
    for check, (limit, says) in CHECKS.items():
        values = dataset[check].values[np.isfinite(dataset[check].values)]
        print(f"{check:>6}: {np.sum(values <= limit):3d} of {len(values)} at most {limit:g}: {says}")
    causes = {str(name): str(why) for name, why in zip(dataset.system.values, dataset.cause.values, strict=True) if why}
    for name, checks in failed.items():
        print(f"{name} fails {', '.join(checks)}: {causes.get(name, 'not explained')}")
    write("known_systems", config, draw, dataset)
    default = folder(config) == FIGURES
    path = Path("docs/known_systems.md") if default else folder(config) / "known_systems.md"
    path.write_text(page(dataset, read()[1], causes), encoding="utf-8")
    print(f"page: {path}")


if __name__ == "__main__":
    main()
