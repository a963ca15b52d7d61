"""One device a core of a CPU, which JAX does not make by itself."""

import os
import re

import jax

from .. import argument


def one_device_per_core(*, workers: int = 1) -> int:
    """Give JAX one CPU device for each core, or each worker of `workers` its share; returns how many.

    To be called before JAX computes anything. Workers that are started later inherit it. A number of devices that the
    environment sets already stands. LAPACK's own threads, which would compete with the devices, are set to one.
    """
    workers = argument.size("workers", workers, 1)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = max(1, cores // workers)
    flags = re.findall(r"xla_force_host_platform_device_count=(\d+)", os.environ.get("XLA_FLAGS", ""))
    told = os.environ.get("JAX_NUM_CPU_DEVICES") or "".join(flags[-1:])
    if told.isdigit():
        return int(told)  # not asked of JAX, which would start, and jax.distributed has to come before that
    try:
        jax.config.update("jax_num_cpu_devices", wanted)
    except RuntimeError as error:
        raise RuntimeError("one_device_per_core: JAX has computed something already; call it before that") from error
    os.environ["JAX_NUM_CPU_DEVICES"] = str(wanted)
    return wanted
