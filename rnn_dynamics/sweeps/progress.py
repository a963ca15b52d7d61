"""A progress bar with the number of points that are finished, failed and left, the speed and the remaining time."""

import sys
import warnings
from typing import Any

from .chunk_records import Record


class LogLines:
    """A stream for log files, which writes each update of the bar on a line of its own."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        """Write the text as a line, without carriage returns."""
        line = text.strip("\r\n ")
        if line:
            self.stream.write(line + "\n")

    def flush(self) -> None:
        """Flush the underlying stream."""
        self.stream.flush()


class Progress:
    """Count finished chunks and show the bar."""

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
                warnings.simplefilter("ignore")  # in a notebook without widgets tqdm warns, and then prints text
                from tqdm.auto import tqdm

                self.bar = tqdm(**options)
        else:
            from tqdm import tqdm as text

            if not sys.stderr.isatty():
                options |= {"file": LogLines(sys.stderr), "mininterval": seconds_between_lines, "ncols": 110}
            self.bar = text(**options)

        self._tell(0)

    def close(self) -> None:
        """Close the bar and leave it on the screen."""
        if self.bar is not None:
            self.bar.close()

    def done(self, record: Record) -> None:
        """Count one more finished chunk."""
        self.failed += record["failed"]
        self.nan += record["nan"]
        self._tell(record["points"])

    def _tell(self, points: int) -> None:
        if self.bar is not None:
            left = self.bar.total - self.bar.n - points
            self.bar.set_postfix_str(f"{self.failed} failed, {self.nan} NaN, {left} left", False)
            self.bar.update(points)
