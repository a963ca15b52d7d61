"""What a report shows of one network: how it was read, its diagnosis, and what was measured for the figures."""

from typing import NamedTuple

from numpy.typing import NDArray

from ..diagnosis.result import Diagnosis
from ..interop.imported import Verification
from ..measure import LyapunovSpectrum


class Network(NamedTuple):
    """One network of a report.

    Attributes:
        name: Its name in the report.
        source: What it was read from, in words.
        verification: How an imported net was compared with the original; None if it was not imported.
        diagnosis: The result of `rd.diagnose`.
        spectrum: Its largest Lyapunov exponents along the first sequence; None if they were not measured.
        eigenvalues: The eigenvalues of each recurrent block, by name.
    """

    name: str
    source: str
    verification: Verification | None
    diagnosis: Diagnosis
    spectrum: LyapunovSpectrum | None
    eigenvalues: dict[str, NDArray]
