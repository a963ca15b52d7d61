"""A submitit executor, which starts jobs under SLURM, with the protocol of concurrent.futures."""

import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import Any

from .. import argument


class Submitit(concurrent.futures.Executor):
    """Sweeps through `submitit.AutoExecutor(...)`: the chunks are dealt out to `jobs` jobs of the cluster.

    A job writes each chunk as it finishes it, and computes only what has no record yet, so one that the cluster stops
    and starts again goes on where it was. The parent hears of a job when it ends.
    """

    def __init__(self, executor: Any, *, jobs: int, poll_seconds: float = 5.0) -> None:
        self.executor = executor
        self.jobs = argument.size("jobs", jobs, 1)
        self.poll_seconds = argument.number("poll_seconds", poll_seconds, above=0.0)
        self._started: list[Any] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> concurrent.futures.Future[Any]:
        """Start a job; the future ends with it."""
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
        """Wait for the jobs, or cancel those that are not done."""
        for job in self._started:
            if cancel_futures and not job.done():
                job.cancel()
            while wait and not job.done():
                time.sleep(self.poll_seconds)
