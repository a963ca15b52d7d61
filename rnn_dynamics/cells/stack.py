"""Stack cells as layers. Within a time step, each cell receives the new output of the layer below.

    s⁽¹⁾' = step₁(p₁, s⁽¹⁾, x)        s⁽ˡ⁾' = stepₗ(pₗ, s⁽ˡ⁾, outputₗ₋₁(s⁽ˡ⁻¹⁾'))

Parameters and state are tuples with one entry per layer, and the stack is a `Cell` like any other.
"""

from collections.abc import Sequence
from typing import Any

import jax
from jaxtyping import PRNGKeyArray

from .. import argument
from .contract import Cell, Input, Params, State, memoised


@memoised
def stack(*cells: Cell) -> Cell:
    """Stack cells as layers of one cell.

        s⁽¹⁾' = step₁(p₁, s⁽¹⁾, x)        s⁽ˡ⁾' = stepₗ(pₗ, s⁽ˡ⁾, outputₗ₋₁(s⁽ˡ⁻¹⁾'))

    Its `init` takes `hidden` as one size for all layers or as a sequence of one size per layer, and passes every other
    option to all of them. Equal arguments give the same object.

    Args:
        cells: One cell or more, the first one nearest to the input.

    Returns:
        A `Cell`. Its parameters and state are tuples with one entry per layer; its output is that of the last layer.

    Cost:
        The sum of the layers.

    Example:
        >>> cell = rd.cells.stack(rd.cells.lstm, rd.cells.gru)
        >>> params = cell.init(key, inputs=2, hidden=(3, 4))
        >>> state = cell.step(params, cell.initial_state(params), jnp.ones(2))
        >>> cell.output(state).shape
        (4,)
    """
    # long because it holds the cell's own functions, which depend on the layers
    if not cells or not all(isinstance(cell, Cell) for cell in cells):
        raise TypeError(f"cells: got {cells!r}, expected one Cell or more")

    def init(key: PRNGKeyArray, *, inputs: int, hidden: int | Sequence[int], **options: Any) -> tuple[Params, ...]:
        """Draw the parameters of each layer, with `hidden` units in all or one size per layer."""
        sizes = tuple(hidden) if isinstance(hidden, Sequence) else (hidden,) * len(cells)
        if len(sizes) != len(cells):
            raise ValueError(f"hidden: got {sizes}, expected one size or {len(cells)}, one per layer")
        params: list[Params] = []
        for cell, layer_key, size in zip(cells, jax.random.split(argument.key(key), len(cells)), sizes, strict=True):
            params.append(cell.init(layer_key, inputs=inputs, hidden=size, **options))
            (inputs,) = jax.eval_shape(lambda p, cell=cell: cell.output(cell.initial_state(p)), params[-1]).shape
        return tuple(params)

    def layers(name: str, value: Any) -> None:
        if not isinstance(value, tuple) or len(value) != len(cells):
            got = f"{len(value)} layers" if isinstance(value, tuple) else type(value).__name__
            raise TypeError(f"{name}: got {got}, expected a tuple of {len(cells)}, one per layer")

    def initial_state(params: tuple[Params, ...]) -> tuple[State, ...]:
        """Return the initial states of the layers."""
        layers("params", params)
        return tuple(cell.initial_state(p) for cell, p in zip(cells, params, strict=True))

    def step(params: tuple[Params, ...], states: tuple[State, ...], x: Input) -> tuple[State, ...]:
        """Step the layers from the first to the last, each with the new output of the one below as its input."""
        layers("params", params)
        layers("state", states)
        new = []
        for layer, (cell, p, state) in enumerate(zip(cells, params, states, strict=True)):
            try:
                new.append(cell.step(p, state, x))
            except (TypeError, ValueError) as error:
                error.add_note(f"in layer {layer} of the stack, counted from the input")
                raise
            x = cell.output(new[-1])
        return tuple(new)

    def output(states: tuple[State, ...]) -> Any:
        """Return the output of the last layer."""
        return cells[-1].output(states[-1])

    def prepare(params: tuple[Params, ...]) -> tuple[Params, ...]:
        """Return the prepared parameters of the layers."""
        layers("params", params)
        return tuple(cell.prepare(p) for cell, p in zip(cells, params, strict=True))

    return Cell(init, initial_state, step, output, prepare)
