"""Results that print on one screen: one line for `repr`, a table for `summary()`, and the same table in a notebook.

A result is a NamedTuple. Its method `_headline` states the finding, and `_table` gives the rows of the summary.
A result without numbers prints as any NamedTuple does: one that is being traced, or whose leaves a user has mapped to
something else.
"""

import html
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

MOST_ROWS = 24


class Table(NamedTuple):
    """The rows of a summary, one text for each column."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


Result = TypeVar("Result", bound=type)


def printable(cls: Result) -> Result:
    """Give a NamedTuple with `_headline` and `_table` a short repr, a `summary` and a table for notebooks."""
    plain: Any = cls.__repr__

    def __repr__(self: Any) -> str:
        return one_line(self, plain)

    def summary(self: Any) -> str:
        """Return what was found as a table of at most 24 rows."""
        return as_text(self) if has_numbers(self) else plain(self)

    def _repr_html_(self: Any) -> str:
        return as_html(self) if has_numbers(self) else f"<pre>{html.escape(plain(self))}</pre>"

    for method in (__repr__, summary, _repr_html_):
        setattr(cls, method.__name__, method)
    return cls


def has_numbers(result: Any) -> bool:
    """Return whether every leaf is an array or a number whose value is known."""
    leaves = jax.tree.leaves(result)
    known = (np.ndarray, np.generic, jax.Array, bool, int, float)
    if any(type(field) is tuple for field in result):  # the shapes of a result, for instance
        return False
    return bool(leaves) and all(isinstance(x, known) and not isinstance(x, jax.core.Tracer) for x in leaves)


def one_line(result: Any, plain: Callable[[Any], str]) -> str:
    """Return the class and its headline."""
    return f"{type(result).__name__}{result._headline()}" if has_numbers(result) else plain(result)


def as_text(result: Any) -> str:
    """Return the headline and the table, in columns aligned to the right."""
    table = result._table()
    lines = [table.columns, *shortened(table.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.columns))]
    text = ("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join([f"{type(result).__name__}{result._headline()}", *(line.rstrip() for line in text)])


def as_html(result: Any) -> str:
    """Return the headline and the table as HTML."""
    table = result._table()

    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    head = html.escape(f"{type(result).__name__}{result._headline()}")
    rows = "".join(row(cells, "td") for cells in shortened(table.rows))
    return f"<div>{head}</div><table>{row(table.columns, 'th')}{rows}</table>"


def shortened(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return at most 24 rows: the first, one of dots, and the last."""
    if len(rows) <= MOST_ROWS:
        return list(rows)
    half = MOST_ROWS // 2
    return [*rows[: MOST_ROWS - half], ["…"] * len(rows[0]), *rows[len(rows) - half + 1 :]]


def number(value: Any) -> str:
    """Return a number with four digits, and a truth value as a word.

    >>> number(-0.693147), number(2), number(float("-inf")), number(True)
    ('-0.6931', '2', '-inf', 'True')
    """
    value = np.asarray(value).item()
    return str(value) if isinstance(value, bool) else f"{value:.4g}"


def span(values: Any) -> str:
    """Return the one number, or the least and the greatest of several.

    >>> span([3.0, 1.0]), span(2.0)
    ('1 .. 3', '2')
    """
    values = np.asarray(values)
    if values.size == 0:
        return "none"
    if values.size == 1:
        return number(values.reshape(()))
    if np.isnan(values).all():
        return "nan"
    least, greatest = np.nanmin(values), np.nanmax(values)
    return number(least) if least == greatest else f"{number(least)} .. {number(greatest)}"


def share(flags: Any, word: str) -> str:
    """Return how many flags are set: "all reliable", "3 of 8 reliable", or for one flag "reliable", "not reliable".

    >>> share([True, False], "reliable"), share([True, True], "reliable"), share([False], "reliable")
    ('1 of 2 reliable', 'all reliable', 'not reliable')
    """
    flags = np.asarray(flags)
    if flags.size == 1:
        return word if flags.all() else f"not {word}"
    return f"all {word}" if flags.all() else f"{int(flags.sum())} of {flags.size} {word}"


def fields_of(result: Any) -> Table:
    """Return one row for each field: its shape and the range of its numbers; the summary of a batch of results."""
    rows = []
    for name, value in zip(result._fields, result, strict=True):
        leaves = jax.tree.leaves(value)
        if len(leaves) == 1:
            rows.append([name, str(np.shape(leaves[0])), span(leaves[0])])
        else:
            rows.append([name, f"{len(leaves)} arrays" if leaves else "", "" if leaves else "not asked for"])
    return Table(["field", "shape", "values"], rows)
