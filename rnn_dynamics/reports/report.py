"""`rd.report`: diagnose a network, measure what the figures need, and write the page."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.style

from ..cells.contract import Input, Params, State, Step
from ..diagnosis.diagnose import diagnose
from ..diagnosis.problem import problem_of
from ..diagnosis.result import Diagnosis
from ..interop.imported import Imported, Verification
from ..plot import STYLE
from .figures import LOOK
from .files import place_of_file, place_of_folder, write, write_folder
from .measured import network_of
from .network import Network
from .page import page


class Report(NamedTuple):
    """What `rd.report` wrote.

    Attributes:
        path: The page; None if none was asked for.
        folder: The folder of pictures and numbers; None if none was asked for.
        diagnoses: The diagnosis of each network.
    """

    path: Path | None
    folder: Path | None
    diagnoses: tuple[Diagnosis, ...]


def report(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    path: str | os.PathLike[str] | None = "report.html",
    folder: str | os.PathLike[str] | None = None,
    loss: Callable[..., Any] | None = None,
    targets: Any = None,
    horizon: int | None = None,
    length: int | None = None,
    batched: bool | None = None,
    source: str | None = None,
    verification: Verification | None = None,
    against: Any = None,
    names: Sequence[str] | None = None,
    diagnosis: Diagnosis | None = None,
) -> Report:
    """Diagnose a network and write the answer, with its evidence, as one HTML file to share.

    The page needs no network, no script and no font, and adapts to light and dark, desks and phones. It holds what was
    read and whether it was verified, the findings and the remedies of `rd.diagnose`, the gradient over lag, its paths,
    Lyapunov exponents with their reliability, gates over time, the eigenvalues of each recurrent block, and the fixed
    points near the states visited, with the input held at its mean. The title of every figure says what it shows.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state of every sequence, unbatched.
        xs: The inputs, with leading axes (sequences, T), or (T,) for one sequence; None for an undriven net.
        path: The HTML file to write, in a folder that exists. None writes none. Default: "report.html".
        folder: A folder for the same as pictures (PNG) and numbers (report.json), made if it does not exist. Files of a
            report that is there already are replaced. Default: none.
        loss: `loss(states)` of one sequence, or `loss(states, target)` with targets. Default: none.
        targets: A pytree with leading axis (sequences,). Default: none.
        horizon: How many steps back the task needs a gradient to reach. Default: unknown.
        length: T, needed where xs is None.
        batched: Whether xs has an axis of sequences. Default: found out.
        source: What the network was read from, such as `net.source`. Default: the step function itself.
        verification: How an imported network was verified, `net.verification`. Default: it was not imported.
        against: A second network to compare with, side by side: an `Imported`, `(step, params, h0)` or
            `(step, params, h0, xs)`. It is measured on the same inputs unless it has its own. Default: none.
        names: The names of the networks in the report. Default: their sources.
        diagnosis: The result of `rd.diagnose`, if you have it already. Default: it is measured.

    Returns:
        A `Report`: where it was written, and the diagnoses.

    Cost:
        That of `rd.diagnose`, up to 48 Lyapunov exponents of one sequence, one Jacobian and its eigenvalues, a search
        for fixed points from up to 128 states (for up to 256 numbers in the state), and about three seconds of
        drawing; twice with `against`.

    Example:
        >>> import pathlib, tempfile
        >>> params = rd.cells.gru.init(key, inputs=1, hidden=4)
        >>> net = (rd.cells.gru.step, params, rd.cells.gru.initial_state(params))
        >>> xs = jax.random.normal(key, (2, 30, 1))
        >>> found = rd.report(*net, xs, path=pathlib.Path(tempfile.mkdtemp(), "gru.html"), horizon=20)
        >>> found.path.name
        'gru.html'
    """
    if path is None and folder is None:
        raise ValueError("path: got None, and folder None as well; expected a file or a folder to write to")
    file = None if path is None else place_of_file("path", path)
    place = None if folder is None else place_of_folder("folder", folder)
    options = {"loss": loss, "targets": targets, "horizon": horizon, "length": length, "batched": batched}
    given = [(step, params, h0, xs, source or _name_of(step), verification)]
    if against is not None:
        given.append(_second(against, xs))
    called = _names(names, [each[4] for each in given])
    networks = [
        _measured(name, *each, diagnosis if not i else None, options)
        for i, (name, each) in enumerate(zip(called, given, strict=True))
    ]
    write_report(networks, file, place)
    return Report(file, place, tuple(network.diagnosis for network in networks))


def write_report(networks: Sequence[Network], file: Path | None, folder: Path | None) -> None:
    """Write the page and the folder of networks that were measured."""
    version = sys.modules[__name__.split(".")[0]].__version__
    with matplotlib.style.context([STYLE, LOOK]):
        if file is not None:
            write(file, page(networks, version).encode())
        if folder is not None:
            write_folder(folder, networks, version)


def _second(against: Any, xs: Input) -> tuple[Any, ...]:
    """Return the parts of the second network, and where it comes from."""
    if isinstance(against, Imported):
        return against.step, against.params, against.h0, xs, against.source, against.verification
    if not isinstance(against, tuple) or len(against) not in (3, 4) or not callable(against[0]):
        raise TypeError(
            f"against: got {type(against).__name__}, expected an Imported, (step, params, h0) or (step, params, h0, xs)"
        )
    return (*against, *(() if len(against) == 4 else (xs,)), _name_of(against[0]), None)


def _name_of(step: Step) -> str:
    """Return the name of a step function."""
    name = getattr(step, "__qualname__", type(step).__name__)
    return f"the function {getattr(step, '__module__', None) or ''}.{name}".replace(" .", " ")


def _names(names: Sequence[str] | None, sources: list[str]) -> list[str]:
    """Return a name for each network; two of the same source are "first" and "second"."""
    if names is not None:
        if isinstance(names, str) or len(names) != len(sources) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"names: got {names!r}, expected {len(sources)} texts, one for each network")
        return list(names)
    return sources if len({*sources}) == len(sources) else ["first", "second"]


def _measured(
    name: str,
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    source: str,
    verification: Verification | None,
    diagnosis: Diagnosis | None,
    options: dict[str, Any],
) -> Network:
    """Diagnose one network and measure the rest."""
    one = problem_of(step, params, h0, xs, **options, sequences=1)
    found = diagnose(step, params, h0, xs, **options) if diagnosis is None else diagnosis
    problem = one.step, one.params, one.h0, one.sequence(0)
    return network_of(name, problem, found, source=source, verification=verification)
