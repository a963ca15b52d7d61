"""The records of a watch as one labelled dataset over the steps of the training."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .record import Record

if TYPE_CHECKING:
    import xarray

# name: dimensions after `step`, units, description
CURVES = {
    "log_norm": (("sequence", "lag"), "nats", "ln ‖∂h_T/∂h_(T-lag)‖₂, a lower bound from a few rows"),
    "log_rms": (("sequence", "lag"), "nats", "ln (‖∂h_T/∂h_(T-lag)‖_F / √n), from random directions"),
    "log_rms_stderr": (("sequence", "lag"), "nats", "standard error of log_rms"),
}
SCALARS = {
    "exponent": ("nats per step", "largest Lyapunov exponent"),
    "exponent_stderr": ("nats per step", "standard error of the largest Lyapunov exponent"),
    "norm": ("1", "gradient norm of this update, before clipping"),
    "clipped_norm": ("1", "gradient norm of this update, after clipping"),
    "norm_median": ("1", "median gradient norm since the last record, before clipping"),
    "norm_largest": ("1", "largest gradient norm since the last record, before clipping"),
    "clipped_share": ("1", "share of the updates since the last record that were clipped"),
    "seconds": ("s", "time that the record took"),
}
GATES = {"gate_mean": "mean opening", "gate_shut": "share below 0.05", "gate_open": "share above 0.95"}


class Row(dict[str, Any]):
    """What the dataset keeps of one record, by the name of the variable; gates and findings by their names."""


def row_of(record: Record) -> Row:
    """Return the numbers of one record, in 32 bits where they are curves."""
    evidence, norms = record.evidence, record.norms
    curves = {"log_norm": evidence.log_norm, "log_rms": evidence.log_rms, "log_rms_stderr": record.log_rms_stderr}
    found = {name: np.asarray(curve, np.float32) for name, curve in curves.items() if curve is not None}
    scalars = {
        "exponent": evidence.exponent,
        "exponent_stderr": evidence.exponent_stderr,
        "norm": norms.norm,
        "clipped_norm": norms.clipped,
        "norm_median": norms.median,
        "norm_largest": norms.largest,
        "clipped_share": norms.clipped_share,
        "seconds": record.seconds,
    }
    return Row(
        found,
        **scalars,
        step=record.step,
        failure=record.failure,
        gates={name: (gate.mean, gate.shut, gate.open) for name, gate in (evidence.gates or {}).items()},
        findings={finding.rule for finding in record.findings},
    )


def dataset_of(rows: Sequence[Row], sizes: dict[str, int], attributes: dict[str, Any]) -> "xarray.Dataset":
    """Stack the rows over `step`; what a record lacks is NaN."""
    import xarray

    gates = list(dict.fromkeys(name for row in rows for name in row["gates"]))
    rules = sorted(set().union(*(row["findings"] for row in rows)))
    variables: dict[str, Any] = {}
    for name, (dims, units, long_name) in CURVES.items():
        nothing = np.full([sizes[dim] for dim in dims], np.nan, np.float32)
        values = np.array([row.get(name, nothing) for row in rows]).reshape(len(rows), *nothing.shape)
        variables[name] = (("step", *dims), values, {"units": units, "long_name": long_name})
    for name, (units, long_name) in SCALARS.items():
        values = np.array([np.nan if row[name] is None else row[name] for row in rows], float)
        variables[name] = ("step", values, {"units": units, "long_name": long_name})
    for i, (name, long_name) in enumerate(GATES.items()):
        values = np.array([[row["gates"].get(gate, [np.nan] * 3)[i] for gate in gates] for row in rows], float)
        values = values.reshape(len(rows), len(gates))
        variables[name] = (("step", "gate"), values, {"units": "1", "long_name": f"{long_name} of the gate"})
    fired = np.array([[rule in row["findings"] for rule in rules] for row in rows], bool)
    fired = fired.reshape(len(rows), len(rules))
    variables["finding"] = (("step", "rule"), fired, {"long_name": "whether this rule of rd.diagnose fires"})
    failure = np.array([row["failure"] for row in rows], dtype=object)
    variables["failure"] = ("step", failure, {"long_name": "why nothing was measured; empty if something was"})
    return xarray.Dataset(
        variables,
        coords={
            "step": ("step", np.array([row["step"] for row in rows], np.int64), {"long_name": "number of the update"}),
            "lag": ("lag", np.arange(sizes["lag"]), {"units": "steps", "long_name": "steps back from T"}),
            "sequence": ("sequence", np.arange(sizes["sequence"]), {"long_name": "held-out sequence"}),
            "gate": ("gate", np.array(gates, dtype=object)),
            "rule": ("rule", np.array(rules, dtype=object)),
        },
        attrs=attributes,
    )


def joined(history: "xarray.Dataset", later: "xarray.Dataset") -> "xarray.Dataset":
    """Put the records of an earlier run in front, without those that the later one has made again."""
    import xarray

    if later.sizes["step"]:
        history = history.sel(step=history.step < int(later.step[0]))
    fill = {"finding": False, "failure": ""}
    return xarray.concat([history, later], "step", join="outer", data_vars="all", fill_value=fill).assign_attrs(
        later.attrs
    )


def write(dataset: "xarray.Dataset", path: Path) -> None:
    """Write the dataset to one netCDF file, which is replaced only when the new one is complete."""
    part = path.with_name(f".{path.name}.part")
    try:
        dataset.to_netcdf(part, engine="h5netcdf")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
