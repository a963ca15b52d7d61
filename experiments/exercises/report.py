"""The report of an exercise: each quantity by hand and by the toolkit, and the errors of the document."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..figure import write


class Row(NamedTuple):
    """One quantity, a number or an array, derived in plain numpy and measured by the toolkit."""

    quantity: str
    by_hand: Any
    by_toolkit: Any

    @property
    def difference(self) -> float:
        """The largest absolute difference of any entry."""
        return float(np.max(np.abs(np.asarray(self.by_hand) - np.asarray(self.by_toolkit))))


class Report(NamedTuple):
    """The rows of an exercise, the errata of its document, and further measurements."""

    title: str
    rows: Sequence[Row]
    errata: Sequence[str] = ()
    findings: Sequence[str] = ()

    def __str__(self) -> str:
        width = max(len(row.quantity) for row in self.rows)
        lines = [self.title, "=" * len(self.title), ""]
        lines.append(f"{'':{width}}  {'by hand':>14}  {'by the toolkit':>14}  {'difference':>10}")
        lines += [
            f"{row.quantity:{width}}  {_shown(row.by_hand):>14}  {_shown(row.by_toolkit):>14}  {row.difference:>10.1e}"
            for row in self.rows
        ]
        if any(np.size(row.by_hand) > 1 for row in self.rows):
            lines.append(f"{'':{width}}  |·|: Euclidean norm of an array; difference: the largest of any entry")
        for heading, notes in (("Errors of the document", self.errata), ("Measured", self.findings)):
            lines += ["", heading] * bool(notes)
            lines += [textwrap.fill(note, 110, initial_indent="  - ", subsequent_indent="    ") for note in notes]
        return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    number = float(np.linalg.norm(np.asarray(value))) if np.size(value) > 1 else float(np.asarray(value).item())
    return f"|{number:.8g}|" if np.size(value) > 1 else f"{number:.8g}"


def present(exercise: ModuleType, config: Any) -> None:
    """Print the exercise's table and draw exercises/<its name>.png in the config's folder."""
    print(exercise.run(config))
    write(f"exercises/{Path(str(exercise.__file__)).stem}", config, exercise.draw, config)
    print()
