"""Timing by medians of interleaved repetitions after an untimed warm-up."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np


def seconds(calls: Mapping[str, Callable[[], Any]], repetitions: int = 5, pause: float = 0.0) -> dict[str, float]:
    """Return the median time of each call. The calls take turns, so that a drift of the machine affects all alike.

    A pause before each call lets the threads of another library stop, which keep spinning for a while after their work.
    """
    for call in calls.values():
        jax.block_until_ready(call())
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repetitions):
        for name, call in calls.items():
            time.sleep(pause)
            start = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(each)) for name, each in times.items()}


def machine() -> str:
    """Return a description of the devices and the version of JAX."""
    device = jax.devices()[0]
    return f"{jax.device_count()} × {device.device_kind}, jax {jax.__version__}"
