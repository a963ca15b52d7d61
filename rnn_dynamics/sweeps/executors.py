"""Create executors from the names that the command line accepts."""

import concurrent.futures
import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from typing import Any

import jax

from ..argument import size
from .cpu_devices import one_device_per_core


@contextlib.contextmanager
def engine(name: str) -> Iterator[Any]:
    """Yield the executor of that name (None for this process), after making each CPU core a device.

    Worker processes share the cores.
    """
    kind, _, rest = name.partition(":")
    if kind == "processes" and rest.isdigit():
        workers = size("executor", int(rest), 1)
        one_device_per_core(workers=workers)
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, context, initializer=leave_ctrl_c) as pool:
            yield pool
    elif kind == "dask" and rest:
        from distributed import Client  # the extra `cluster`

        one_device_per_core()
        with Client(rest) as client:
            yield client.get_executor()
    elif name in ("local", "distributed"):
        one_device_per_core()
        if name == "distributed":
            jax.distributed.initialize()
        yield None
    else:
        raise ValueError(f"executor: got {name!r}, expected local, processes:N, dask:ADDRESS or distributed")


def leave_ctrl_c() -> None:
    """Ignore Ctrl-C in a worker, so that it finishes its chunk; the parent stops the sweep."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
