"""A progress bar with the number of updates made, their rate, and the held-out loss."""

import contextlib
from collections.abc import Iterator
from typing import Any


class Shown:
    """A progress bar that can be moved to a number of updates."""

    def __init__(self, bar: Any = None) -> None:
        self.bar = bar

    def update_to(self, updates: int, loss: Any) -> None:
        """Move the bar to this number of updates and show this held-out loss."""
        if self.bar is not None:
            self.bar.set_postfix_str(f"held-out loss {float(loss):.4g}", refresh=False)
            self.bar.update(updates - self.bar.n)


@contextlib.contextmanager
def bar(total: int, *, shown: bool) -> Iterator[Shown]:
    """Show a bar on standard error, or nothing."""
    if not shown:
        yield Shown()
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, unit=" updates") as found:
        yield Shown(found)
