"""Strict numerics for every test: nothing is promoted or broadcast silently, and a warning is an error.

Tests run in float64; one that holds in both precisions asks for the fixture `dtype`.
"""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from hypothesis import settings

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Keras reads it when it is first imported
os.environ.setdefault("KERAS_BACKEND", "jax")

# half of the time goes into tracing thousands of small programs: these two make it a sixth shorter
jax.config.update("jax_traceback_in_locations_limit", 0)
gc.set_threshold(200_000, 100, 100)

# a busy machine is no failure
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# a run in the background ignores Ctrl-C, and so would the processes in which tests press it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> Iterator[jnp.dtype]:
    """Each precision as users meet it: float32 with x64 off, float64 with x64 on."""
    with jax.enable_x64(request.param == "float64"):
        yield jnp.dtype(request.param)


MAPS = Path("/proc/self/maps")


@pytest.fixture(scope="module", autouse=True)
def forget_programs() -> Iterator[None]:
    """Each compiled program holds some thirty memory maps, and Linux ends a process that asks for more than 65530."""
    yield
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(20)


class Compilations:
    """How many programs XLA has compiled since the fixture was asked for."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, event: str, duration: float, **details: object) -> None:
        self.count += event == "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def compilations() -> Iterator[Compilations]:
    counter = Compilations()
    jax.monitoring.register_event_duration_secs_listener(counter)
    yield counter
    jax.monitoring.unregister_event_duration_listener(counter)
