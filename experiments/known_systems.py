"""Do the exponents agree with what is published for well-known chaotic systems, and with checks that need no book?

The systems are the flows without delay and the maps of dysts, 150 in all. A flow becomes a step by the classical
Runge-Kutta method. Three checks need nobody's number: one exponent of a flow is 0, because a shift along the trajectory
neither grows nor shrinks; the exponents add up to the mean divergence; and twice the steps, for twice the time or in
the same time, give the same within the errors. The table, and an explanation of each system that fails a check, is
docs/known_systems.md.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
import xarray

from .figure import FIGURES, Output, folder, write
from .known_systems_causes import CAUSES, explain
from .known_systems_checks import CHECKS, checked, fails
from .known_systems_equations import read
from .known_systems_figure import draw
from .known_systems_measure import FINER, Plan, Run, spectrum, walker
from .known_systems_page import page

MOST = 10  # the largest number of variables


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
    found = side_by_side(kept, config, names, [plan] * len(names), [config.store] * len(names))
    values = {key: [each[key] for each in found] for key in found[0]}
    fields = {
        key: (("system", "index") if np.ndim(rows[0]) else "system", np.asarray(rows)) for key, rows in values.items()
    }
    return xarray.Dataset(fields, coords={"system": list(names)}, attrs=plan._asdict())


def side_by_side(function: Callable[..., Any], config: Config, *arguments: Sequence[Any]) -> list[Any]:
    """Map a function over arguments, in as many processes as the config says."""
    workers = config.workers or len(os.sched_getaffinity(0))
    if workers == 1:
        return list(map(function, *arguments))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(function, *arguments))


def kept(name: str, plan: Plan, store: Path | None) -> dict[str, Any]:
    """Measure one system, or read it from the store if it was measured by the same plan."""
    path = store / f"{name}.npz" if store else None
    mark = np.asarray([*plan, FINER.get(name, 0)])
    if path and path.exists():
        with np.load(path) as file:
            if np.array_equal(file["plan"], mark):
                return {key: file[key][()] for key in file.files if key != "plan"}
    found = measured(name, plan)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, plan=mark, **found)
    return found


def measured(name: str, plan: Plan) -> dict[str, Any]:
    """Measure one system: its main run, the same stretch after it, and half of that stretch with half the time step."""
    begun = time.process_time()
    with jax.enable_x64(True):
        of = read()[0][name]
        steps = FINER.get(name, plan.steps) if of.period else plan.steps
        unit = of.period / steps if of.period else 1.0
        params, h0 = (jnp.asarray(unit), of.params), jnp.asarray(of.initial)
        walk = walker(of)
        begin = walk(params, h0, plan.settle * steps).end
        length = (plan.periods * steps, plan.turn * steps)
        main = spectrum(of, walk, params, begin, *length)
        again = spectrum(of, walk, params, main.end, *length)
        fine = spectrum(of, walk, (params[0] / 2, of.params), main.end, *length) if of.period else again
    return {
        **fields_of("", main),
        **fields_of("again_", again),
        **fields_of("fine_", fine),
        "published": padded(of.spectrum),
        "published_dimension": of.dimension,
        "period": of.period or 1.0,
        "flow": bool(of.period),
        "forced": of.forced,
        "steps": steps,
        "slowest": main.slowest,
        "fastest": main.fastest,
        "components": len(of.initial),
        "seconds": time.process_time() - begun,
    }


def fields_of(prefix: str, found: Run) -> dict[str, Any]:
    """Return the arrays of a run under their names in the dataset."""
    return {
        f"{prefix}exponents": padded(found.exponents),
        f"{prefix}stderr": padded(found.stderr),
        f"{prefix}residual": found.residual,
        f"{prefix}volume": found.volume,
        f"{prefix}rate": found.rate,
        f"{prefix}doubts": found.doubts,
    }


def padded(values: Any) -> np.ndarray:
    """Return the values with NaN behind them, as many as the largest system has."""
    values = np.asarray(values, np.float64)
    return np.pad(values, (0, MOST - len(values)), constant_values=np.nan)


def explained(dataset: xarray.Dataset, config: Config) -> dict[str, str]:
    """Return the explanations that there are for the systems of a dataset."""
    plan = Plan(config.periods, config.steps, config.settle, config.turn)
    names = [name for name in map(str, dataset.system.values) if name in CAUSES]
    values = [{key: array.values for key, array in dataset.sel(system=name).data_vars.items()} for name in names]
    return dict(zip(names, side_by_side(explain, config, names, values, [plan] * len(names)), strict=True))


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
    causes = explained(dataset, config)
    for name, checks in failed.items():
        print(f"{name} fails {', '.join(checks)}: {causes.get(name, 'not explained')}")
    write("known_systems", config, draw, dataset)
    default = folder(config) == FIGURES
    path = Path("docs/known_systems.md") if default else folder(config) / "known_systems.md"
    path.write_text(page(dataset, read()[1], causes), encoding="utf-8")
    print(f"page: {path}")


if __name__ == "__main__":
    main()
