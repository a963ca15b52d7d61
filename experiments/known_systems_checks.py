"""The checks of `known_systems` that need nobody's number, and what is derived from the exponents."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import xarray

import rnn_dynamics as rd


class Check(NamedTuple):
    """A quantity of the dataset that should be small, its limit and what it says."""

    limit: float
    says: str


ENDS = 5.0  # nats that the ends of a trajectory may add to the growth over all of it
CHECKS = {
    "zero": Check(0.01, "smallest |λ| of a flow, in nats per period"),
    "sum": Check(1e-3, "|Σλ - mean divergence| / Σ|λ|; of a map the mean of ln|det J|"),
    "twice": Check(4.0, "difference for twice the steps, in standard errors"),
}
FAR = 2.0  # the factor by which a largest exponent is far from the published one


def is_far(found: Mapping[str, Any]) -> bool:
    """Return whether the measured λ₁ of a flow is not within a factor of `FAR` of a published one."""
    ours, theirs = (
        float(np.asarray(found[key]).max(initial=-np.inf, where=~np.isnan(found[key])))
        for key in ("exponents", "published")
    )
    return bool(found["flow"]) and np.isfinite(theirs) and not theirs / FAR <= ours <= theirs * FAR


def checked(dataset: xarray.Dataset) -> xarray.Dataset:
    """Add the quantities of `CHECKS`, and `dimension`, the Kaplan-Yorke dimension; NaN where they do not apply.

    A run of T periods cannot tell an exponent from 0 that is below `ENDS`/T nats per period: exponents measure growth,
    and the ends of the trajectory add a number that does not grow with T. So differences below that are no differences,
    and for the dimension such exponents are 0.
    """
    exponents, period = dataset.exponents, dataset.period
    gross = abs(exponents).sum("index")
    finite = np.isfinite(exponents).sum("index") == dataset.components
    zero = (abs(exponents).min("index") * period).where(dataset.flow)
    apart = abs(dataset.residual + dataset.volume - dataset.rate)
    twice = xarray.concat([difference(dataset, prefix) for prefix in ("again_", "fine_")], "run").max("run")
    found = {
        "zero": zero.where(finite),
        "sum": (apart / gross).where(finite),
        "step_sum": (abs(dataset.residual) / gross).where(finite),
        "twice": twice.where(finite),
        "dimension": ("system", [dimension(dataset.sel(system=name)) for name in dataset.system.values]),
    }
    return dataset.assign(found)


def difference(dataset: xarray.Dataset, prefix: str) -> xarray.DataArray:
    """Return the largest difference from the main run in standard errors, to which the ends of a trajectory add."""
    ends = ENDS / (CHECKS["twice"].limit * dataset.attrs["periods"] * dataset.period)
    errors = np.sqrt(dataset.stderr**2 + dataset[f"{prefix}stderr"] ** 2 + ends**2)
    apart = abs(dataset[f"{prefix}exponents"] - dataset.exponents)
    return (apart / errors).max("index")


def dimension(at: xarray.Dataset) -> float:
    """Return the Kaplan-Yorke dimension of one system, from exponents that are 0 where they are too small to tell."""
    exponents = at.exponents.values[: int(at.components)]
    if not np.isfinite(exponents).all():
        return np.nan
    small = max(ENDS / at.attrs["periods"] / float(at.period), 1e-12)
    known = np.where(abs(exponents) < small, 0, exponents)
    if abs(known.sum()) <= CHECKS["sum"].limit * np.abs(known).sum():
        return float(len(known))  # volumes are conserved
    return float(rd.measure.kaplan_yorke_dimension(jnp.asarray(known), full=True))


def fails(dataset: xarray.Dataset) -> dict[str, list[str]]:
    """Return the names of the checks that each system fails, and "not finite" where the trajectory is not."""
    failed: dict[str, list[str]] = {}
    for name in dataset.system.values:
        at = dataset.sel(system=name)
        if not np.isfinite(at.exponents.values[: int(at.components)]).all():
            failed[str(name)] = ["not finite"]
            continue
        beyond = [check for check, (limit, _) in CHECKS.items() if float(at[check]) > limit]
        if beyond:
            failed[str(name)] = beyond
    return failed
