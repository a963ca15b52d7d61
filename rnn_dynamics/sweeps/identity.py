"""The attributes that identify a sweep in its store: to refuse another sweep, and to trace a figure to its origin."""

import datetime
import platform
import subprocess
import sys
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import jax_settings
from .attribute_seal import FORMAT
from .grid import Grid, label
from .jax_settings import NAMES, Settings
from .outputs import Field, Layout, MeasurePoint, TracedOutputs
from .plan import Plan


def of_sweep(
    measure_point: MeasurePoint, grid: Grid, key: jax.Array, traced: TracedOutputs, layout: Layout, chunk: int | None
) -> dict[str, Any]:
    """Return what is computed, by which function and in which versions, as flat attributes of the dataset."""
    return {
        "format": FORMAT,
        "measure_point": label(measure_point),
        "program": traced.program,
        "axes": [axis.name for axis in grid.axes],
        "axis_dims": [axis.dim for axis in grid.axes],
        "axis_kinds": [axis.kind for axis in grid.axes],
        "grid_dims": list(grid.dims),
        "grid_shape": list(grid.shape),
        "outputs": [_in_words(field) for field in layout.fields],
        **key_attributes(key),
        **{f"jax_{name}": value for name, value in jax_settings.current().items()},
        "chunk_argument": chunk,
        "versions": versions(),
        "git_commit": git_commit(measure_point),
    }


def _in_words(field: Field) -> str:
    """Describe an output in the words that `expected_layout.describe` uses for its array."""
    sides = ", ".join(f"{dim}={length}" for dim, length in zip(field.dims, field.shape, strict=True))
    return f"{field.name}: {field.dtype.name}[{sides}]"


def of_plan(plan: Plan, device: str) -> dict[str, Any]:
    """Return how the sweep is cut up, on which devices it started, and when."""
    return {
        "window_shape": list(plan.window),
        "chunk_shape": list(plan.chunk),
        "device": device,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "store_id": uuid.uuid4().hex,
    }


def key_attributes(key: jax.Array) -> dict[str, Any]:
    """Return a key as plain numbers, with the name of its implementation."""
    typed = jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)
    data = jax.random.key_data(key) if typed else key
    return {
        "key": np.asarray(data).tolist(),
        "key_impl": str(jax.random.key_impl(key)) if typed else "raw",
    }


def key_of(found: dict[str, Any]) -> jax.Array:
    """Return the key that these attributes describe."""
    data = jnp.asarray(np.array(found["key"], np.uint32))
    if found["key_impl"] == "raw":
        return data
    return jax.random.wrap_key_data(data, impl=found["key_impl"])


def settings_of(found: dict[str, Any]) -> Settings:
    """Return the settings of JAX in these attributes."""
    return {name: found[f"jax_{name}"] for name in NAMES}


def versions() -> str:
    """Return the versions of the packages that the numbers depend on, as one line."""
    ours = sys.modules[__name__.split(".")[0]].__version__
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "jaxlib", "numpy", "xarray", "zarr"))
    return f"rnn_dynamics {ours}, {packages}, python {platform.python_version()}"


def git_commit(measure_point: MeasurePoint) -> str:
    """Return the commit of the repository of `measure_point`, and whether it was modified; "" if there is none."""
    source = getattr(sys.modules.get(measure_point.__module__), "__file__", None)
    if not source:
        return ""

    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(source).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (" (modified)" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Describe each difference, apart from the grid, between the sweep of a store (`there`) and this one (`here`)."""
    compared = ["format", "measure_point", "key", "key_impl", *(name for name in here if name.startswith("jax_"))]
    found = [
        f"{name}: {there.get(name)!r} in the store and {here[name]!r} here"
        for name in compared
        if there.get(name) != here[name]
    ]
    if here["outputs"] != there.get("outputs"):
        found.append(f"measure_point: returned {there.get('outputs')} in the store and {here['outputs']} here")
    elif not found and here["versions"] == there.get("versions") and here["program"] != there.get("program"):
        found.append(
            "measure_point: its program differs from the store's; it, or a function that it calls, was changed"
        )
    points = int(np.prod(there["chunk_shape"]))
    if here["chunk_argument"] not in (None, there.get("chunk_argument"), points):
        asked = there.get("chunk_argument") or f"None, which gave {points}"
        found.append(f"chunk: {asked} in the store and {here['chunk_argument']} here")
    return found
