"""Delay Ctrl-C until the running chunk is finished, so that no work is lost and no point is recorded as raised."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from .log import log


@contextlib.contextmanager
def held() -> Iterator[list[int]]:
    """Hold Ctrl-C back until the end of the block, but let a second one through. Yields a list with an entry for each.

    Compiled code that calls back into Python turns a Ctrl-C into an ordinary error, so code that catches errors in the
    block has to check the list. Only the main thread of a process receives signals; elsewhere nothing is held back.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield []
        return
    pressed: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            before(number, frame)
        log.warning("Ctrl-C: stopping after the running chunk; press again to stop at once and lose that chunk")

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
