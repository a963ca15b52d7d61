"""Run LAPACK on one thread: the decompositions here are small, and its threads compete with those of XLA.

On CPUs, JAX calls the OpenBLAS that SciPy ships, which starts one thread for each core. They wait by spinning, so next
to another busy process a QR decomposition of 128 columns takes 4 to 20 times as long. Alone on a machine they gain
nothing at these sizes.
"""

import functools
import os


@functools.cache
def on_one_thread() -> None:
    """Limit SciPy's OpenBLAS to one thread for the rest of this process, unless the environment sets the number.

    This is called where a program with a decomposition is traced. NumPy's own OpenBLAS is left as it is. Without
    threadpoolctl nothing is limited: results are the same, and take longer next to busy processes.
    """
    if any(name in os.environ for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOTO_NUM_THREADS")):
        return
    import scipy.linalg  # noqa: F401 - JAX loads it at its first decomposition; it cannot be limited before

    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:
        return
    controller = ThreadpoolController()
    used = [found["filepath"] for found in controller.info() if "scipy.libs" in found["filepath"]]
    controller.select(filepath=used).limit(limits=1)
