"""Run rows in processes of their own, and go on without the rows that fail, crash or hang."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

Found = dict[str, Any]

# seconds that a process may take to start and to import everything
START = 60.0


class Row(NamedTuple):
    """A line of the table: its name, the call that returns its numbers, and the seconds after which it has hung."""

    name: str
    call: Callable[[], Found]
    seconds: float = 40.0


class Part(NamedTuple):
    """Rows that run in the same way: how many processes at once, how many rows in each, and their share of the time."""

    rows: list[Row]
    at_once: int = 1
    in_each: int = 1000
    share: float = 1.0


class Plan(NamedTuple):
    """Where the parts come from, as `module:function`, the sizes, when to stop, who is told of each row.

    `patience` multiplies the seconds of every row, for a machine that has other work.
    """

    source: str
    small: bool
    until: float
    keep: Callable[[Found], None]
    patience: float = 1.0


def run(plan: Plan, name: str, part: Part, numbers: list[int]) -> None:
    """Run these rows of a part; tell of each, also of those for which no time was left."""
    until = min(plan.until, time.monotonic() + part.share * (plan.until - time.monotonic()))
    each = max(1, min(part.in_each, -(-len(numbers) // part.at_once)))
    stride = -(-len(numbers) // each)
    # every process gets rows of all importance: the first ones of each are the most important
    shares = [numbers[start::stride] for start in range(stride)]
    with ThreadPoolExecutor(part.at_once) as pool:
        list(pool.map(lambda share: _run_share(plan._replace(until=until), name, part.rows, share), shares))


def _run_share(plan: Plan, name: str, rows: list[Row], numbers: list[int]) -> None:
    """Run rows one after the other. A process that dies or hangs is replaced by one for the rows after that."""
    left = list(numbers)
    while left:
        if time.monotonic() >= plan.until:
            for number in left:
                plan.keep({"part": name, "row": rows[number].name, "error": "not run: no time was left"})
            return
        for found in _one_process(plan, name, rows, list(left)):
            plan.keep({"part": name, "row": rows[left.pop(0)].name} | found)


def _one_process(plan: Plan, name: str, rows: list[Row], numbers: list[int]) -> Iterator[Found]:
    """Yield what a process finds for these rows, and at last why it did not go on, if it did not."""
    words = [plan.source, name, "small" if plan.small else "full", *map(str, numbers)]
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.device.worker", *words],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # so that its own children end with it
        )
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_read, args=(child, lines))
        reader.start()
        try:
            # the first answer says that everything is imported
            for limit in (START, *(rows[number].seconds for number in numbers)):
                most = plan.patience * limit
                left = max(min(most, plan.until - time.monotonic()), 0.1)
                try:
                    line = _answer(lines, left)
                except queue.Empty:
                    cut = "" if left == most else "not run to its end, as no time was left: "
                    yield {"error": f"{cut}no end after {left:.0f} s"}
                    return
                if not line:
                    errors.seek(0)
                    yield {"error": f"its process ended with code {child.wait()}: {errors.read()[-600:].strip()}"}
                    return
                if answer := json.loads(line):
                    yield answer
        finally:
            _end(child)
            reader.join()


def _answer(lines: "queue.Queue[str]", limit: float) -> str:
    """Return the next line with numbers, or nothing at the end of the output; other text is skipped."""
    until = time.monotonic() + limit
    while True:
        line = lines.get(timeout=max(until - time.monotonic(), 0.01))
        if not line or line.startswith("{"):
            return line


def _read(child: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            lines.put(line)
    lines.put("")


def _end(child: "subprocess.Popen[str]") -> None:
    """End a process and those that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
