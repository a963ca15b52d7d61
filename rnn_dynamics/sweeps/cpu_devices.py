"""Give JAX one device per CPU core; by default it makes a single device of the whole CPU."""

import os
import re

import jax

from .. import argument


def one_device_per_core(*, workers: int = 1) -> int:
    """Give JAX one CPU device for each core that this process may use.

    Call this before JAX computes anything. Processes that are started later inherit the setting. If the environment
    already sets a number of devices (`JAX_NUM_CPU_DEVICES` or `XLA_FLAGS`), that number is kept. LAPACK's own threads
    would compete with the devices, so `OPENBLAS_NUM_THREADS` is set to 1 unless it is set already.

    Args:
        workers: The number of worker processes that share the cores. Each gets cores // workers devices, at least one.

    Returns:
        The number of CPU devices of each process.

    Raises:
        RuntimeError: JAX has already computed something.

    Example:
        >>> rd.sweeps.one_device_per_core()  # doctest: +SKIP
        8
    """
    workers = argument.size("workers", workers, 1)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = max(1, cores // workers)
    flags = re.findall(r"xla_force_host_platform_device_count=(\d+)", os.environ.get("XLA_FLAGS", ""))
    told = os.environ.get("JAX_NUM_CPU_DEVICES") or "".join(flags[-1:])
    if told.isdigit():
        return int(told)  # asking JAX for its devices would start it, and jax.distributed has to be initialised first
    try:
        jax.config.update("jax_num_cpu_devices", wanted)
    except RuntimeError as error:
        raise RuntimeError("one_device_per_core: JAX has already computed something; call this before") from error
    os.environ["JAX_NUM_CPU_DEVICES"] = str(wanted)
    return wanted
