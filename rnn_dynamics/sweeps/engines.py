"""Compute chunks in one of three ways: in this process, by an executor's workers, or by all of jax.distributed."""

import concurrent.futures
import contextlib
import pickle
import random
import sys
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

import jax

from . import worker
from .chunk_records import Record, read_record
from .runner import Programs
from .worker import Job

Records = Generator[Record, None, None]

# seconds between two checks of whether the other processes are done
POLL = 1.0


def here(job: Job, numbers: Sequence[int], programs: Programs) -> Records:
    """Compute the chunks in this process, on its own devices."""
    store, runner = worker.open_work(job, programs)
    yield from worker.compute(store, runner, numbers, job)


def together(job: Job, numbers: Sequence[int], programs: Programs) -> Records:
    """Compute this process's share of the chunks under jax.distributed, then wait for the other processes."""
    store, runner = worker.open_work(job, programs)
    index, many = jax.process_index(), jax.process_count()
    # shares go by chunk number: another process may have finished chunks before this one opened the store
    yield from worker.compute(store, runner, [number for number in numbers if number % many == index], job)
    others = [number for number in numbers if number % many != index]
    while others:
        finished = {number: record for number in others if (record := read_record(store, number))}
        yield from finished.values()
        others = [number for number in others if number not in finished]
        if others:
            time.sleep(POLL)  # if one of the others dies, jax.distributed ends this process too


def elsewhere(executor: Any, job: Job, numbers: Sequence[int]) -> Records:
    """Compute the chunks by an executor's workers: one task per chunk, or `executor.jobs` long tasks if it has that."""
    jobs = getattr(executor, "jobs", None)
    shares = [numbers[start::jobs] for start in range(min(jobs, len(numbers)))] if jobs else [[n] for n in numbers]
    futures = [executor.submit(worker.share, job, numbers) for numbers in shares]
    try:
        for future in concurrent.futures.as_completed(futures):
            yield from future.result()
    except concurrent.futures.BrokenExecutor as error:
        raise RuntimeError(
            "executor: one of its workers died, perhaps because it ran out of memory; finished chunks are kept, and "
            "the same call with a new executor computes the rest"
        ) from error
    finally:
        for future in futures:
            future.cancel()


def scattered(numbers: Sequence[int]) -> list[int]:
    """Return the numbers in random order, so that two processes on one store seldom start the same chunk at once."""
    return random.SystemRandom().sample(numbers, len(numbers))


def sendable(measure_point: Callable[..., Any], functions: dict[str, Callable[..., Any]]) -> None:
    """Raise if a worker could not import `measure_point` or one of the functions in the grid."""
    for name, function in {"measure_point": measure_point, **functions}.items():
        main = sys.modules.get("__main__")
        hidden = function.__module__ == "__main__" and not hasattr(main, "__file__")
        with contextlib.suppress(pickle.PicklingError, AttributeError, TypeError):
            pickle.dumps(function)
            if not hidden:
                continue
        raise TypeError(
            f"{name}: got {function!r}, which a worker cannot import; define it with `def` at the top level of a file, "
            "and pass what varies as axes of the grid"
        )
