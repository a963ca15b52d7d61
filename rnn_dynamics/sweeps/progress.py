"""A bar that says how many points are finished, failed and left, how fast, and for how long still."""

import sys
import warnings
from typing import Any

from .chunk_records import Record


class LogLines:
    """A stream for a file: what a terminal would overwrite becomes lines."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        """Whole lines, without what moves a cursor."""
        line = text.strip("\r\n ")
        if line:
            self.stream.write(line + "\n")

    def flush(self) -> None:
        """What has been written so far."""
        self.stream.flush()


class Progress:
    """Counts the records of finished chunks."""

    def __init__(self, total: int, finished: list[Record], *, shown: bool, seconds_between_lines: float = 10.0) -> None:
        self.failed = sum(record["failed"] for record in finished)
        self.nan = sum(record["nan"] for record in finished)
        options: dict[str, Any] = {
            "total": total,
            "initial": sum(record["points"] for record in finished),
            "unit": " points",
            "smoothing": 0.1,
        }
        if not shown:
            self.bar: Any = None
        elif "ipykernel" in sys.modules:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns where a notebook has no widgets, and prints text then
                from tqdm.auto import tqdm

                self.bar = tqdm(**options)
        else:
            from tqdm import tqdm as text

            if not sys.stderr.isatty():
                options |= {"file": LogLines(sys.stderr), "mininterval": seconds_between_lines, "ncols": 110}
            self.bar = text(**options)

        self._tell(0)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()

    def done(self, record: Record) -> None:
        """One more chunk."""
        self.failed += record["failed"]
        self.nan += record["nan"]
        self._tell(record["points"])

    def _tell(self, points: int) -> None:
        if self.bar is not None:
            left = self.bar.total - self.bar.n - points
            self.bar.set_postfix_str(f"{self.failed} failed, {self.nan} NaN, {left} left", False)
            self.bar.update(points)
