"""Whether many small systems of linear inequalities have solutions, all at once: the dual simplex method in NumPy.

Each system is σ = T ρ + t with all of σ and ρ at least 0, some of them equal to 0 ("closed"). They differ in what is
closed. A table expresses R of the variables, its rows, by the others, its columns, which are 0. It shows a solution if
no row is negative. A negative row that no open column can raise shows that there is none: this row is a combination of
the equations, Farkas' certificate, and `refuted` checks it against T and t themselves. So rounding in the tables can
cost time, but a system is only called infeasible if its own numbers say so.
"""

from typing import NamedTuple

import numpy as np

# a coefficient that is smaller than this part of the largest in its row is no pivot
TINY = 1e-11
# solutions with larger numbers may be missed
LARGEST = 1e8
# of T and t, relative to the largest of them
ROUNDING = 64 * np.finfo(float).eps


class System(NamedTuple):
    """σ = T ρ + t. Variables are labelled: first those of ρ, the columns of T, then those of σ, its rows."""

    T: np.ndarray
    t: np.ndarray


class Tables(NamedTuple):
    """N systems on their way to a solution: row variables = table[..., :-1] · column variables + table[..., -1].

    Attributes:
        table: (N, rows, columns + 1).
        rows: The labels of the row variables, (N, rows).
        columns: The labels of the column variables, (N, columns).
        closed: Which variables must be 0, (N, rows + columns).
    """

    table: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    closed: np.ndarray

    def at(self, which: np.ndarray) -> "Tables":
        """Return copies of some of the systems."""
        return Tables(*(part[which] for part in self))

    def values(self) -> np.ndarray:
        """Return all variables where the column variables are 0, (N, rows + columns)."""
        values = np.zeros(self.closed.shape)
        np.put_along_axis(values, self.rows, self.table[..., -1], axis=1)
        return values


def begun(system: System, closed: np.ndarray) -> Tables:
    """Return the systems with these variables closed, (N, variables), before the first pivot."""
    (R, S), N = system.T.shape, len(closed)
    table = np.broadcast_to(np.concatenate([system.T, system.t[:, None]], axis=1), (N, R, S + 1)).copy()
    return Tables(table, np.tile(np.arange(S, S + R), (N, 1)), np.tile(np.arange(S), (N, 1)), closed.copy())


def settled(system: System, tables: Tables) -> tuple[Tables, np.ndarray]:
    """Pivot each table until it shows a solution or none; return the tables, and where there may be a solution."""
    tables, possible = _pivoted(system, tables)
    doubtful = np.flatnonzero(~possible)
    doubtful = doubtful[~refuted(system, tables.at(doubtful))]
    if doubtful.size:  # rounding has spoilt these tables
        fresh, again = _pivoted(system, begun(system, tables.closed[doubtful]))
        possible[doubtful] = again | ~refuted(system, fresh)
        for part, new in zip(tables, fresh, strict=True):
            part[doubtful] = new
    return tables, possible


def _pivoted(system: System, tables: Tables) -> tuple[Tables, np.ndarray]:
    """Pivot each table until it shows a solution (True) or none (False), or too many pivots were made (True)."""
    tolerance = 1e-10 * (1 + np.abs(system.t).max(initial=0))
    possible, done = np.ones(len(tables.table), bool), Tables(*(part.copy() for part in tables))
    at, rounds = np.arange(len(tables.table)), 4 * sum(system.T.shape) + 20
    for i in range(rounds):
        row, sign, worst = _lowest_row(tables, tolerance, first=i > rounds // 2)
        gains, column = _best_column(tables, row, sign, first=i > rounds // 2)
        wrong = worst < -tolerance
        possible[at[wrong & (gains <= 0)]] = False
        go = wrong & (gains > 0)
        if not go.all():
            for part, new in zip(done, tables, strict=True):
                part[at[~go]] = new[~go]
            at, tables, row, column = at[go], tables.at(go), row[go], column[go]
        if not at.size:
            break
        _pivot(tables, row, column)
    for part, new in zip(done, tables, strict=True):
        part[at] = new
    return done, possible


def _lowest_row(tables: Tables, tolerance: float, first: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the most negative row of each table (or the first by label), its sign if it counts, and its value.

    A closed row variable must be 0: where it is positive, minus the row is the negative one.
    """
    t = tables.table[..., -1]
    signs = np.where(np.take_along_axis(tables.closed, tables.rows, 1) & (t > 0), -1.0, 1.0)
    t = signs * t
    row = np.argmin(np.where(t < -tolerance, tables.rows, tables.closed.shape[1]) if first else t, axis=1)
    one = np.arange(len(row))
    return row, signs[one, row], t[one, row]


def _best_column(tables: Tables, row: np.ndarray, sign: np.ndarray, first: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much the best open column (or the first by label) raises the row, 0 for none, and which it is."""
    one = np.arange(len(row))
    coefficients = sign[:, None] * tables.table[one, row, :-1]
    small = TINY * np.abs(coefficients).max(axis=1, keepdims=True, initial=1e-300)
    useful = (coefficients > small) & ~np.take_along_axis(tables.closed, tables.columns, 1)
    gains = np.where(useful, coefficients, 0.0)
    order = np.where(useful, -tables.columns - 1.0, -np.inf) if first else gains
    column = np.argmax(order, axis=1)
    return gains[one, column], column


def _pivot(tables: Tables, row: np.ndarray, column: np.ndarray) -> None:
    """Exchange a row variable and a column variable of each table, in place."""
    table, one = tables.table, np.arange(len(row))
    line = table[one, row]
    by = line[one, column][:, None]
    line /= -by
    line[one, column] = 1 / by[:, 0]
    along = table[one, :, column]
    table[one, :, column] = 0
    table += along[:, :, None] * line[:, None, :]
    table[one, row] = line
    leaving = tables.rows[one, row]
    tables.rows[one, row] = tables.columns[one, column]
    tables.columns[one, column] = leaving


def refuted(system: System, tables: Tables) -> np.ndarray:
    """Return where the most negative row is a proof, in the numbers of the system, that there is no solution.

    Of the equations σ - T ρ = t the row is the combination λ: λᵀσ - λᵀT ρ = λᵀt. If λᵀt < 0, no solution has only
    coefficients of at least 0 at the variables that are not closed. What rounding leaves of negative ones, and what it
    may hide, is allowed for with variables of up to LARGEST.
    """
    S, one = system.T.shape[1], np.arange(len(tables.table))
    row, sign, _ = _lowest_row(tables, 0.0, first=False)
    coefficients = np.zeros(tables.closed.shape)
    np.put_along_axis(coefficients, tables.columns, -sign[:, None] * tables.table[one, row, :-1], axis=1)
    coefficients[one, tables.rows[one, row]] = sign
    multipliers = coefficients[:, S:]
    coefficients = np.concatenate([-multipliers @ system.T, multipliers], axis=1)
    negative = np.where(tables.closed, 0, np.maximum(-coefficients, 0)).sum(axis=1)
    size = max(np.abs(system.T).max(initial=1), np.abs(system.t).max(initial=1))
    rounded = ROUNDING * np.abs(multipliers).sum(axis=1) * size * S
    return multipliers @ system.t < -LARGEST * (negative + rounded)
