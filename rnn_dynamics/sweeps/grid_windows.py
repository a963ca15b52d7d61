"""Cut a grid into windows, and gather windows into chunks; both are boxes of cells."""

import math

import numpy as np

Shape = tuple[int, ...]
Region = tuple[slice, ...]


def box(shape: Shape, size: int) -> Shape:
    """Return the shape of a box of at most `size` cells: all of the last axes, then an even share of the next one."""
    box = [1] * len(shape)
    for axis in reversed(range(len(shape))):
        parts = math.ceil(shape[axis] / max(size, 1))
        box[axis] = math.ceil(shape[axis] / parts)
        size //= box[axis]
        if parts > 1:
            break
    return tuple(box)


def counts(shape: Shape, box: Shape) -> Shape:
    """Return how many boxes cover the shape along each axis."""
    return tuple(math.ceil(length / side) for length, side in zip(shape, box, strict=True))


def region(shape: Shape, box: Shape, number: int) -> Region:
    """Return the region of the box of this number, in C order; a box on the edge ends with the shape."""
    corner = np.unravel_index(number, counts(shape, box))
    return tuple(
        slice(int(c) * side, min((int(c) + 1) * side, length))
        for c, side, length in zip(corner, box, shape, strict=True)
    )


def sides(region: Region) -> Shape:
    """Return the shape of a region."""
    return tuple(part.stop - part.start for part in region)


def windows(chunk: Region, window: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the cells of each window of a chunk, (axes, windows, cells), and which are inside the chunk.

    A chunk starts at the corner of a window. Windows on its edge may reach beyond it.
    """
    many = counts(sides(chunk), window)
    corners = np.indices(many).reshape(len(many), -1) * np.array(window)[:, None]
    offsets = np.indices(window).reshape(len(window), -1)
    cells = np.array([part.start for part in chunk])[:, None, None] + corners[:, :, None] + offsets[:, None, :]
    return cells, (cells < np.array([part.stop for part in chunk])[:, None, None]).all(axis=0)
