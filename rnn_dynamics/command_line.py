"""The commands of `python -m rnn_dynamics`: sweep a built-in measurement, resume, show or export it; report on a net.

    python -m rnn_dynamics sweep --cells elman gru --gains 0.5 1 1.5 2 --seeds 8 --store runs/edge.zarr
    python -m rnn_dynamics resume runs/edge.zarr
    python -m rnn_dynamics show runs/edge.zarr
    python -m rnn_dynamics export runs/edge.zarr edge.nc
    python -m rnn_dynamics report lstm.safetensors --layout torch --inputs x.npy

Exit codes: 0, no point raised; 3, some points raised, with their messages in `error` of the dataset; 2, the command is
invalid or cannot be done here; 130, stopped by Ctrl-C; 1, an error of the program itself.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import tyro

from . import report_command
from .cells import CELLS
from .measurements import MEASUREMENTS
from .sweeps import export, open_dataset, sweep
from .sweeps.address import resolve
from .sweeps.executors import engine
from .sweeps.status import BY_MEASURE
from .sweeps.terminal_text import printable

Place = Annotated[str, tyro.conf.Positional]
OnVersion = Literal["refuse", "accept"]


@dataclass(frozen=True)
class Sweep:
    """Sweep a measurement over cells, gains, widths and seeds. The same command resumes a sweep that was stopped."""

    cells: Annotated[tuple[str, ...], tyro.conf.arg(help=f"Some of {', '.join(CELLS)}.")] = ("elman",)
    gains: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
    """Gains of the recurrent weights."""
    widths: tuple[int, ...] = (64,)
    """Numbers of units of the layer."""
    seeds: int = 4
    """Number of random nets at each point."""
    length: int = 200
    """Number of steps measured."""
    drives: Annotated[tuple[float, ...], tyro.conf.arg(aliases=("--drive",))] = (0.0,)
    """Standard deviations of the input noise."""
    measurement: Literal["lyapunov", "gradient_flow", "singular_values"] = "lyapunov"
    """The measurement."""
    store: str = "runs/sweep.zarr"
    """A folder, or a URL that fsspec knows."""
    executor: str = "local"
    """Where to compute: local; processes:N; dask:ADDRESS; distributed, in each process that srun or a pod started."""
    chunk: int | None = None
    """Points computed and written at once; chosen automatically if not given."""
    key: int = 0
    """The seed of all random keys."""
    on_version: OnVersion = "refuse"
    """accept: continue a store started with other versions even if they may hide a changed measurement."""
    quiet: bool = False
    """Show no progress bar."""


@dataclass(frozen=True)
class Resume:
    """Resume a sweep that was stopped."""

    store: Place
    """The folder or URL of the sweep."""
    executor: str = "local"
    """Where to compute, as for sweep: local; processes:N; dask:ADDRESS; distributed."""
    on_version: OnVersion = "refuse"
    """accept: continue a store started with other versions even if they may hide a changed measurement."""
    quiet: bool = False
    """Show no progress bar."""


@dataclass(frozen=True)
class Show:
    """Print the summary of a sweep and draw its standard figures."""

    store: Place
    """The folder or URL of the sweep."""
    figure: Path | None = None
    """The file of the figure; next to the store if not given."""


@dataclass(frozen=True)
class Export:
    """Write a sweep to a netCDF file."""

    store: Place
    """The folder or URL of the sweep."""
    file: Annotated[Path, tyro.conf.Positional]
    """The file to write."""


# the extra of this package that brings an optional package
EXTRAS = {
    "dask": "cluster",
    "distributed": "cluster",
    "submitit": "cluster",
    "fsspec": "remote",
    "h5netcdf": "netcdf",
    "h5py": "netcdf",
}
COMMANDS: dict[str, Any] = {
    "sweep": Sweep,
    "resume": Resume,
    "show": Show,
    "export": Export,
    "report": report_command.Report,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the words give (default: those of the command line) and return its exit code."""
    words = [*(sys.argv[1:] if words is None else words)]
    if words[:1] == ["sweep"] and words[1:2] and words[1] in COMMANDS:
        words = words[1:]  # `sweep show STORE` as well as `show STORE`
    command = tyro.extras.subcommand_cli_from_dict(COMMANDS, args=words, prog="python -m rnn_dynamics")
    try:
        return run(command)
    except KeyboardInterrupt:
        sys.stderr.write("stopped by Ctrl-C; finished chunks are kept, and the same command computes the rest\n")
        return 130
    except ImportError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        sys.stderr.write(f"{error.name}: is not installed; pip install 'rnn_dynamics[{extra}]' brings it\n")
        return 2
    except Exception as error:
        notes = [note for note in getattr(error, "__notes__", ()) if note.startswith(BY_MEASURE)]
        if not notes and not isinstance(error, ValueError | TypeError | OSError | MemoryError):
            raise
        sys.stderr.write(printable("; ".join([str(error), *notes])) + "\n")
        return 2


def run(command: Any) -> int:
    """Run one command and return its exit code."""
    if isinstance(command, report_command.Report):
        return report_command.run(command)
    if isinstance(command, Show):
        return show(command)
    if isinstance(command, Export):
        export(command.store, command.file)
        return 0
    with engine(command.executor) as executor:
        if isinstance(command, Sweep):
            begin(command, executor)
        else:
            go_on(command, executor)
    return report(command.store)


def begin(command: Sweep, executor: Any) -> None:
    """Run the sweep that a command describes."""
    unknown = [cell for cell in command.cells if cell not in CELLS]
    if unknown:
        raise ValueError(f"cells: got {unknown[0]!r}, expected some of {', '.join(CELLS)}")
    grid = {
        "cell": command.cells,
        "hidden": command.widths,
        "length": [command.length],
        "drive": [float(drive) for drive in command.drives],
        "gain": [float(gain) for gain in command.gains],
    }
    sweep(
        MEASUREMENTS[command.measurement],
        grid,
        key=jax.random.key(command.key),
        repeats=command.seeds,
        store=command.store,
        executor=executor,
        chunk=command.chunk,
        progress=not command.quiet,
        on_version=command.on_version,
    )


def go_on(command: Resume, executor: Any) -> None:
    """Resume the sweep of a store. Its measure must be a built-in measurement; no other function name is trusted."""
    from .sweeps.options import Options
    from .sweeps.run import resume

    known = {f"{measure.__module__}:{measure.__qualname__}": measure for measure in MEASUREMENTS.values()}
    options = Options(executor=executor, progress=not command.quiet, on_version=command.on_version)
    resume(command.store, known, options)


def report(store: str) -> int:
    """Print how the points of a store ended and return the exit code."""
    from .sweeps.in_memory import summary

    found = summary(store)
    more = f", {found.left} not computed yet" if found.left else ""
    sys.stdout.write(f"{store}: {found.points} points, {found.raised} raised, {found.nan} with NaN{more}\n")
    return 3 if found.raised else 0


def show(command: Show) -> int:
    """Print a dataset, draw it and return the exit code."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from .plot import STYLE
    from .plot.overview import drawable, overview
    from .sweeps.in_memory import load_dataset
    from .sweeps.in_words import in_words

    dataset = open_dataset(command.store)
    sys.stdout.write(f"{printable(in_words(dataset))}\n")
    code = report(command.store)
    if not drawable(dataset):
        sys.stdout.write("no figure: none of the outputs is a real number or a row of real numbers\n")
        return code
    figure = command.figure or beside(command.store)
    with plt.style.context(STYLE):
        overview(load_dataset(command.store)).savefig(figure, metadata={"Software": None})
    sys.stdout.write(f"figure: {figure}\n")
    return code


def beside(store: str) -> Path:
    """Return the figure's file: next to a store in a folder, in the current folder for any other store."""
    place = resolve(store)
    folder = place if isinstance(place, Path) else Path(str(place).rstrip("/").split("/")[-1])
    return folder.with_name(folder.name.removesuffix(".zarr") + ".png")
