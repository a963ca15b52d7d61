"""Ctrl-C waits for the running chunk, so that no point is taken for one that raised and nothing is thrown away."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from .log import log


@contextlib.contextmanager
def held() -> Iterator[list[int]]:
    """Hold Ctrl-C back until the end of the block; a second one is let through. Yields the list of those pressed.

    Compiled code that calls back into Python would turn it into an error of its own, so whoever catches errors in the
    block has to look at the list. Only the main thread of a process is sent signals.
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
        log.warning("Ctrl-C: stops after the running chunk; once more stops at once, without it")

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
