"""What a report shows of one network: how it was read, its diagnosis, and what was measured for the figures."""

from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..diagnosis.result import Diagnosis
from ..fixed_points import FixedPoints
from ..interop.imported import Verification
from ..measure import LyapunovSpectrum


class Rest(NamedTuple):
    """Where a network rests while its input stays the same.

    Attributes:
        found: Its fixed points and slow points; None if they were not looked for.
        visited: The last states of the first sequence, a pytree like a state with leading axis T.
        held: What the input is held at, such as "the input held at its mean over the first sequence"; "" without one.
        why_not: Why they were not looked for, in words; "" if they were.
    """

    found: FixedPoints | None
    visited: Any
    held: str
    why_not: str = ""


class Network(NamedTuple):
    """One network of a report.

    Attributes:
        name: Its name in the report.
        source: What it was read from, in words.
        verification: How an imported net was compared with the original; None if it was not imported.
        diagnosis: The result of `rd.diagnose`.
        spectrum: Its largest Lyapunov exponents along the first sequence; None if they were not measured.
        eigenvalues: The eigenvalues of each recurrent block, by name.
        rest: Where it rests; None if that was not asked.
    """

    name: str
    source: str
    verification: Verification | None
    diagnosis: Diagnosis
    spectrum: LyapunovSpectrum | None
    eigenvalues: dict[str, NDArray]
    rest: Rest | None = None
