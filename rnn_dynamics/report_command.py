"""The command `report` of `python -m rnn_dynamics`: a file of weights in, a page with the answer out.

python -m rnn_dynamics report lstm.safetensors --layout torch --inputs x.npy --horizon 100 --to report.html
python -m rnn_dynamics report before.npz --layout torch --inputs x.npy --against after.npz
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro
from numpy.typing import NDArray

from .sweeps.terminal_text import printable


@dataclass(frozen=True)
class Report:
    """Diagnose a network from a file of weights and write an HTML page with the answer and its evidence."""

    weights: Annotated[Path, tyro.conf.Positional]
    """The weights: a .safetensors or .npz file."""
    layout: str
    """The framework that the weights come from, such as torch."""
    inputs: Path
    """Input sequences: a .npy file of shape (sequences, steps, inputs) or (steps, inputs)."""
    outputs: Path | None = None
    """What the original returned for these inputs, a .npy file: verifies that the weights were read correctly."""
    horizon: int | None = None
    """How many steps back the task needs a gradient to reach."""
    against: Path | None = None
    """The weights of a second network to compare with, on the same inputs."""
    against_layout: str | None = None
    """The framework that these come from; the first one if not given."""
    against_outputs: Path | None = None
    """What the second original returned for these inputs, a .npy file."""
    to: Path | None = None
    """The page to write; report.html if neither this nor a folder is given."""
    folder: Path | None = None
    """A folder for the same as PNG files and report.json."""


def run(command: Report) -> int:
    """Write the report that a command describes, print its verdict, and return the exit code."""
    from .reports import report
    from .reports.page import verdict_of

    if command.against is None and (command.against_layout or command.against_outputs):
        raise ValueError("against_layout, against_outputs: got one of them without --against, the second network")
    xs = _array("inputs", command.inputs)
    net = _imported("layout", command.layout, command.weights, xs, command.outputs)
    second = None
    if command.against is not None:
        layout = command.against_layout or command.layout
        second = _imported("against_layout", layout, command.against, xs, command.against_outputs)
    sizes = jax.tree.leaves(net.params)[0].dtype
    written = report(
        *net.problem(np.asarray(xs, sizes)),
        path=command.to or (None if command.folder else "report.html"),
        folder=command.folder,
        horizon=command.horizon,
        batched=xs.ndim == 3,
        source=net.source,
        verification=net.verification,
        against=second,
        names=_names(command),
    )
    lines = [f"{net.source}: {net.verification}", *([f"{second.source}: {second.verification}"] if second else [])]
    lines += [f"{verdict_of(diagnosis)}." for diagnosis in written.diagnoses]
    lines += [f"report: {place}" for place in (written.path, written.folder) if place is not None]
    sys.stdout.write(printable("\n".join(lines)) + "\n")
    return 0


def _names(command: Report) -> list[str]:
    """Return the names of the files, or their paths if these are equal."""
    paths = [command.weights, *([command.against] if command.against is not None else [])]
    names = [path.name for path in paths]
    return names if len({*names}) == len(names) else [str(path) for path in paths]


def _imported(name: str, layout: str, weights: Path, xs: NDArray, outputs: Path | None) -> Any:
    """Import a file of weights, and verify it if there are recorded outputs."""
    from .interop import LAYOUTS

    if layout not in LAYOUTS:
        raise ValueError(f"{name}: got {layout!r}, expected one of {', '.join(LAYOUTS)}")
    recorded = None if outputs is None else (xs, _array("outputs", outputs))
    net = LAYOUTS[layout](weights, recorded=recorded)
    # of a bidirectional net, the one that reads the inputs in their order
    return net if net.backward is None else net._replace(source=f"{net.source}, the net that reads forward")


def _array(name: str, path: Path) -> NDArray:
    """Read an array of real numbers from a .npy file. What its header claims must fit the file."""
    try:
        # as a map of the file: nothing is allocated for numbers that are not there
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # damaged files raise several kinds
        raise ValueError(f"{name}: {path} is not a .npy file of numbers, or damaged ({error})") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim not in (2, 3) or not array.size:
        found = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "several arrays"
        raise ValueError(
            f"{name}: {path} holds {found}, expected numbers of shape (sequences, steps, units) or (steps, units)"
        )
    return np.array(array)
