"""A bar that says how many updates are made, how fast, and the held-out loss."""

import contextlib
from collections.abc import Iterator
from typing import Any


class Shown:
    """A bar that is moved to a number of updates."""

    def __init__(self, bar: Any = None) -> None:
        self.bar = bar

    def update_to(self, updates: int, loss: Any) -> None:
        """So many updates are made, with this held-out loss."""
        if self.bar is not None:
            self.bar.set_postfix_str(f"held-out loss {float(loss):.4g}", refresh=False)
            self.bar.update(updates - self.bar.n)


@contextlib.contextmanager
def bar(total: int, *, shown: bool) -> Iterator[Shown]:
    """A bar on standard error, or nothing."""
    if not shown:
        yield Shown()
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, unit=" updates") as found:
        yield Shown(found)
