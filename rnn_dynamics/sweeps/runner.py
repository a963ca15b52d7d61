"""Compute chunks of points as arrays of the dataset. A group's program is compiled when first needed, and kept."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from . import grid_windows
from .grid import POINT, Grid, Group, group_at, groups, point_at, traced_at
from .grid_windows import Region, Shape
from .outputs import MeasurePoint, arguments, names
from .program import Arrays, Program, compile_program, run
from .status import NAN, NO_NAN, RAISED, PointError, describe, empty, out_of_memory
from .terminal_text import printable

# limits of one call of a program: bytes of outputs for all its windows, and the number of windows
HELD, MOST_WINDOWS = 2**26, 64

Programs = dict[tuple[Group, int], Program | Exception]


class Work(NamedTuple):
    """Everything needed to compute points: the function and its grid, the devices, the window, one point's outputs."""

    measure_point: MeasurePoint
    grid: Grid
    key: jax.Array
    devices: tuple[jax.Device, ...]
    window: Shape
    fields: dict[str, tuple[np.dtype, tuple[int, ...]]]

    @property
    def bytes_of_point(self) -> int:
        """Return the size of one point's outputs in bytes."""
        return sum(dtype.itemsize * math.prod(shape) for dtype, shape in self.fields.values())


class Part(NamedTuple):
    """The windows of one group in a chunk: the places of their cells, (axes, windows, width), and which ones count.

    The cells that are not `meant` are copies. They fill a window at the end of the grid or, in a list of points, of the
    group.
    """

    chunk: int
    cells: np.ndarray
    meant: np.ndarray


class Runner:
    """Compute chunks, and keep the compiled program of each group."""

    def __init__(self, work: Work, programs: Programs | None = None) -> None:
        self.work = work
        self.width = math.prod(work.window)
        self.groups = groups(work.grid)
        self.programs: Programs = {} if programs is None else programs

    def chunks(self, chunks: Sequence[Region]) -> list[Arrays]:
        """Compute the arrays of several chunks, with `status` and `error`. Several chunks keep all devices busy."""
        found = [empty(self.work.fields, math.prod(grid_windows.sides(chunk))) for chunk in chunks]
        by_group: dict[Group, list[Part]] = {}
        for number, chunk in enumerate(chunks):
            for group, part in self._parts(number, chunk):
                by_group.setdefault(group, []).append(part)
        for group, parts in by_group.items():
            self._fill(found, chunks, group, parts)
        return [
            {name: values.reshape(*grid_windows.sides(chunk), *values.shape[1:]) for name, values in arrays.items()}
            for chunk, arrays in zip(chunks, found, strict=True)
        ]

    def program(self, group: Group) -> Program:
        """Return the compiled program of a group; if compiling it failed before, raise the same error again."""
        found = self.programs.get((group, self.width))
        if found is None:
            try:
                found = self._compile(group)
            except Exception as error:
                found = error
            self.programs[group, self.width] = found
        if isinstance(found, Exception):
            raise found
        return found

    def run(self, group: Group, cells: np.ndarray) -> Arrays:
        """Compute the outputs at cells, (axes, windows, width), as arrays (windows, width, ...)."""
        work = self.work
        numbers = np.ravel_multi_index(tuple(cells), work.grid.shape).astype(np.uint32)
        kinds = arguments(work.grid)
        traced = {name: values.astype(kinds[name].dtype) for name, values in traced_at(work.grid, cells).items()}
        return run(self.program(group), work.key, numbers, traced)

    def _compile(self, group: Group) -> Program:
        work = self.work
        return compile_program(
            work.measure_point,
            names(work.grid.static, group),
            arguments(work.grid),
            work.key,
            width=self.width,
            capacity=max(1, min(MOST_WINDOWS, HELD // max(1, self.width * work.bytes_of_point))),
            devices=work.devices,
        )

    def _parts(self, number: int, chunk: Region) -> list[tuple[Group, Part]]:
        """Return the windows of a chunk by group."""
        cells, inside = grid_windows.windows(chunk, self.work.window)
        of_cell = self._groups_of(cells, inside)
        found = []
        for index in dict.fromkeys(of_cell[inside].tolist()):
            meant = inside & (of_cell == index)
            rows = meant.any(axis=1)
            last = self.width - 1 - np.argmax(meant[rows, ::-1], axis=1)
            lanes = np.where(meant[rows], np.arange(self.width), last[:, None])
            part = Part(number, np.take_along_axis(cells[:, rows], lanes[None], axis=2), meant[rows])
            found.append((self.groups[index], part))
        return found

    def _groups_of(self, cells: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return the index of each cell's group. In a product grid a chunk has one place along each static axis."""
        grid = self.work.grid
        if POINT not in {axis.dim for axis in grid.static}:
            return np.full(inside.shape, self.groups.index(group_at(grid, cells[:, 0, 0])))
        place = {group: number for number, group in enumerate(self.groups)}
        found = np.zeros(inside.shape, int)
        found[inside] = [place[group_at(grid, cell)] for cell in cells[:, inside].T]
        return found

    def _fill(self, found: list[Arrays], chunks: Sequence[Region], group: Group, parts: list[Part]) -> None:
        """Compute the windows of one group and copy the points that count into the arrays of their chunks."""
        try:
            results = self.run(group, np.concatenate([part.cells for part in parts], axis=1))
        except Exception as error:
            alone = sum(part.meant.sum() for part in parts) == 1
            for part in parts:
                if alone or isinstance(self.programs[group, self.width], Exception):
                    _refuse(found[part.chunk], _members(chunks, part), error)
                else:
                    self._fill_singly(found[part.chunk], chunks, group, part)
            return
        begin = 0
        for part in parts:
            here = {name: values[begin : begin + len(part.meant)][part.meant] for name, values in results.items()}
            _put(found[part.chunk], _members(chunks, part), here)
            begin += len(part.meant)

    def _fill_singly(self, found: Arrays, chunks: Sequence[Region], group: Group, part: Part) -> None:
        """Compute each point alone, repeated over its window, to find those that raise and keep the others."""
        for member, cell in zip(_members(chunks, part), part.cells[:, part.meant].T, strict=True):
            try:
                result = self.run(group, np.broadcast_to(cell[:, None, None], (len(cell), 1, self.width)))
            except Exception as error:
                _refuse(found, np.array([member]), error)
            else:
                _put(found, np.array([member]), {name: values[0, :1] for name, values in result.items()})


def raise_first(grid: Grid, chunk: Region, arrays: Arrays) -> None:
    """Raise the recorded error of the first point of a chunk that raised, if any, and name the point."""
    raised = np.argwhere(arrays["status"] == RAISED)
    if len(raised):
        cell = raised[0] + [part.start for part in chunk]
        point = point_at(grid, int(np.ravel_multi_index(tuple(cell), grid.shape)))
        text = printable(arrays["error"][tuple(raised[0])])
        raise PointError(f"measure_point raised at {describe(point)}: {text}")


def _members(chunks: Sequence[Region], part: Part) -> np.ndarray:
    """Return the places within their chunk, in C order, of the cells that count."""
    chunk = chunks[part.chunk]
    inside = part.cells[:, part.meant] - np.array([side.start for side in chunk])[:, None]
    return np.ravel_multi_index(tuple(inside), grid_windows.sides(chunk))


def _put(found: Arrays, members: np.ndarray, results: Arrays) -> None:
    nan = np.zeros(len(members), bool)
    for name, values in results.items():
        place: Any = (members, *(slice(length) for length in values.shape[1:]))  # the rest stays padding
        found[name][place] = values
        if values.dtype.kind in "fc":
            nan |= np.isnan(values).reshape(len(members), -1).any(axis=1)
    found["status"][members] = np.where(nan, NAN, NO_NAN)


def _refuse(found: Arrays, members: np.ndarray, error: Exception) -> None:
    if out_of_memory(error):
        raise MemoryError(
            "measure_point: ran out of memory; a sweep into a new store with a smaller chunk=, or with fewer devices=, "
            "needs less at once. Finished chunks are kept"
        ) from error
    found["status"][members] = RAISED
    text = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode()
    # a long message from compiled code states its cause at the end
    found["error"][members] = text if len(text) < 2000 else f"{text[:400]} ... {text[-1600:]}"
