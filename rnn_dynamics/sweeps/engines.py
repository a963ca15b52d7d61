"""Who computes the chunks: this process, the workers of an executor, or the processes of jax.distributed."""

import concurrent.futures
import contextlib
import pickle
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax

from . import worker
from .chunk_records import Record, read_record
from .runner import Programs
from .worker import Job

# how often a process looks whether the others are done
POLL = 1.0


def here(job: Job, numbers: Sequence[int], programs: Programs) -> Iterator[Record]:
    """By this process on its own devices."""
    store, runner = worker.open_work(job, programs)
    yield from worker.compute(store, runner, numbers, job)


def together(job: Job, numbers: Sequence[int], programs: Programs) -> Iterator[Record]:
    """By this process and the others of jax.distributed, each its share; ends when all have ended."""
    store, runner = worker.open_work(job, programs)
    index, many = jax.process_index(), jax.process_count()
    # by their numbers: this process may have opened the store when another was already at work
    yield from worker.compute(store, runner, [number for number in numbers if number % many == index], job)
    others = [number for number in numbers if number % many != index]
    while others:
        finished = {number: record for number in others if (record := read_record(store, number))}
        yield from finished.values()
        others = [number for number in others if number not in finished]
        if others:
            time.sleep(POLL)  # if one of the others dies, jax.distributed ends this process too


def elsewhere(executor: Any, job: Job, numbers: Sequence[int]) -> Iterator[Record]:
    """By the workers of an executor; one that wants few long tasks says into how many by its attribute `jobs`."""
    jobs = getattr(executor, "jobs", None)
    shares = [numbers[start::jobs] for start in range(min(jobs, len(numbers)))] if jobs else [[n] for n in numbers]
    futures = [executor.submit(worker.task, job, share) for share in shares]
    try:
        for future in concurrent.futures.as_completed(futures):
            yield from future.result()
    except concurrent.futures.BrokenExecutor as error:
        raise RuntimeError(
            "executor: one of its workers died, by lack of memory perhaps; what is finished is kept, and the same call "
            "with a new executor goes on"
        ) from error
    finally:
        for future in futures:
            future.cancel()


def scattered(numbers: Sequence[int]) -> list[int]:
    """In random order: two processes on one store then seldom begin the same chunk at once."""
    return random.SystemRandom().sample(numbers, len(numbers))


def sendable(measure: Callable[..., Any], functions: dict[str, Callable[..., Any]]) -> None:
    """Refuse what a worker could not import."""
    for name, function in {"measure": measure, **functions}.items():
        main = sys.modules.get("__main__")
        hidden = function.__module__ == "__main__" and not hasattr(main, "__file__")
        with contextlib.suppress(pickle.PicklingError, AttributeError, TypeError):
            pickle.dumps(function)
            if not hidden:
                continue
        raise TypeError(
            f"{name}: got {function!r}, which a worker cannot import; define it by `def` at the top of a file and pass "
            "what varies as axes of the grid"
        )
