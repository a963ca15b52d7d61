"""The settings of JAX that numbers depend on: read where a sweep starts, applied wherever a part of it is computed."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax

NAMES = (
    "enable_x64",
    "default_matmul_precision",
    "numpy_dtype_promotion",
    "numpy_rank_promotion",
    "default_prng_impl",
    "threefry_partitionable",
)

Settings = dict[str, str | bool | None]


def current() -> Settings:
    """Return the current settings of this process."""
    values = {name: getattr(jax.config, f"jax_{name}") for name in NAMES}
    return {name: getattr(value, "value", value) for name, value in values.items()}


@contextlib.contextmanager
def applied(settings: Settings) -> Iterator[None]:
    """Apply the settings within a block and this thread only, since a worker may also do other work."""
    with contextlib.ExitStack() as stack:
        for name, value in settings.items():
            context: Any = getattr(jax, name)
            stack.enter_context(context(value))
        yield
