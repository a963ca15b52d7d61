"""Wrap a submitit executor, which starts SLURM jobs, in the protocol of concurrent.futures."""

import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import Any

from .. import argument


class Submitit(concurrent.futures.Executor):
    """Run a sweep as SLURM jobs: pass this as `executor=` and the chunks are shared among `jobs` jobs.

    A job writes each chunk when it is finished and computes only chunks without a record. So a job that the cluster
    stops and restarts continues where it was. The parent process sees the result of a job only when the job ends.

    Args:
        executor: A `submitit.AutoExecutor`, or any object whose `submit` returns a job with `done` and `result`.
        jobs: The number of jobs that share the chunks.
        poll_seconds: The time between two checks of whether a job has ended, in seconds. Default: 5.

    Attributes:
        executor: The executor that starts the jobs.
        jobs: The number of jobs.
        poll_seconds: The time between two checks, in seconds.

    Example:
        >>> import submitit  # doctest: +SKIP
        >>> executor = rd.sweeps.Submitit(submitit.AutoExecutor("logs"), jobs=64)  # doctest: +SKIP
        >>> rd.sweep(measure_point, grid, key=key, store="runs/edge.zarr", executor=executor)  # doctest: +SKIP
    """

    def __init__(self, executor: Any, *, jobs: int, poll_seconds: float = 5.0) -> None:
        self.executor = executor
        self.jobs = argument.size("jobs", jobs, 1)
        self.poll_seconds = argument.number("poll_seconds", poll_seconds, above=0.0)
        self._started: list[Any] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> concurrent.futures.Future[Any]:
        """Start a job and return a future that ends when the job ends."""
        job = self.executor.submit(function, *args, **options)
        self._started.append(job)
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()
        threading.Thread(target=self._watch, args=(job, future), daemon=True).start()
        return future

    def _watch(self, job: Any, future: concurrent.futures.Future[Any]) -> None:
        while not job.done():
            time.sleep(self.poll_seconds)
        try:
            future.set_result(job.result())
        except BaseException as error:
            future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for all jobs; with `cancel_futures`, first cancel those that are not done."""
        for job in self._started:
            if cancel_futures and not job.done():
                job.cancel()
            while wait and not job.done():
                time.sleep(self.poll_seconds)
