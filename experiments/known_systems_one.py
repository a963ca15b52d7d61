"""Everything that `known_systems` measures of one system, and keeps of it."""

import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .known_systems_causes import CAUSES, explain
from .known_systems_checks import is_far
from .known_systems_equations import System, read
from .known_systems_judge import EARLY, JUDGED, two_trajectories
from .known_systems_measure import FINER, Plan, Run, spectrum, walker

MOST = 10  # the largest number of variables


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
    """Measure one system, explain what there is to explain, and ask the judge if it is far from the published one."""
    begun = time.process_time()
    with jax.enable_x64(True):
        of = read()[0][name]
        found = runs(of, plan)
        found |= opinions(name, found, plan)
    return found | {"seconds": time.process_time() - begun}


def opinions(name: str, found: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Return the explanation, "" where there is none, and the judge's λ₁ early and late, NaN where it was not asked."""
    early = late = (np.nan, np.nan)
    if is_far(found):
        early, late = (two_trajectories(name, JUDGED, settle) for settle in (EARLY, plan.settle))
    cause = explain(name, found, plan) if name in CAUSES else ""
    return {"cause": cause, "early": early[0], "early_stderr": early[1], "late": late[0], "late_stderr": late[1]}


def runs(of: System, plan: Plan) -> dict[str, Any]:
    """Measure the main run, the same stretch after it, and half of that stretch with half the time step."""
    steps = FINER.get(of.name, plan.steps) if of.period else plan.steps
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
