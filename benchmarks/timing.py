"""Medians of interleaved repetitions, after a warm-up that is timed apart."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np


def seconds(calls: Mapping[str, Callable[[], Any]], repetitions: int = 5, pause: float = 0.0) -> dict[str, float]:
    """The median time of each call; one of each in turn, so that a drifting machine hits all of them alike.

    A pause before each lets the threads of another library come to rest, which go on spinning after their work.
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
    """Where the table was made."""
    device = jax.devices()[0]
    return f"{jax.device_count()} × {device.device_kind}, jax {jax.__version__}"
