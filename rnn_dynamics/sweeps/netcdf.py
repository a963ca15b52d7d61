"""Write the dataset of a sweep to one netCDF file, for programs that cannot read zarr."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from .in_memory import load_dataset


def export(store: Any, path: Any) -> None:
    """Implements `rnn_dynamics.sweeps.export`."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path: got {path!r}, expected a file's name such as sweep.nc")
    dataset = load_dataset(store)
    for name in [str(name) for name, values in dataset.data_vars.items() if values.dtype.kind == "c"]:
        values = dataset[name]
        taken = [part for part in (f"{name}_real", f"{name}_imag") if part in dataset.variables]
        if taken:
            raise ValueError(f"export: got the output {taken[0]} beside {name}, whose part would take that name")
        dataset = dataset.drop_vars(name).assign({f"{name}_real": values.real, f"{name}_imag": values.imag})
    dataset.attrs = {name: plain(value) for name, value in dataset.attrs.items()}
    target = Path(path)
    part = target.with_name(f".{target.name}.part")
    try:
        dataset.to_netcdf(part, engine="h5netcdf")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def plain(value: Any) -> Any:
    """Convert an attribute to what netCDF can hold: texts, numbers and arrays of numbers."""
    if isinstance(value, bool | None):
        return str(value)
    if isinstance(value, list):
        return np.array(value) if all(isinstance(item, int | float) for item in value) and value else json.dumps(value)
    return value
