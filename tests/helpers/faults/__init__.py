"""Faults to be planted by `tests/planted_faults.py`, by the folder of the package that they are in."""

from .fault import Fault
from .in_cells import CELLS
from .in_diagnosis import DIAGNOSIS
from .in_experiments import EXPERIMENTS
from .in_fixed_points_continuation import CONTINUATION
from .in_fixed_points_cycles import FIXED_POINTS_CYCLES
from .in_fixed_points_exact import EXACT_CYCLES
from .in_fixed_points_pictures import FIXED_POINTS_PICTURES
from .in_fixed_points_search import FIXED_POINTS_SEARCH
from .in_fixed_points_stability import STABILITY_OF_POINTS
from .in_flow_and_lyapunov import EXPONENTS, FLOWS
from .in_frameworks import FRAMEWORKS
from .in_measure import MEASURE
from .in_monitor import MONITOR
from .in_pictures_and_theory import PICTURES, THEORY
from .in_pytorch import PYTORCH
from .in_remedies import REMEDIES
from .in_reports import REPORTS
from .in_spectra_in_windows import SPECTRA_IN_WINDOWS
from .in_sweeps import SWEEP
from .in_train import TRAIN

__all__ = ["FAULTS", "Fault"]

FAULTS = [
    *CELLS,
    *DIAGNOSIS,
    *EXPERIMENTS,
    *CONTINUATION,
    *FIXED_POINTS_CYCLES,
    *EXACT_CYCLES,
    *FIXED_POINTS_PICTURES,
    *FIXED_POINTS_SEARCH,
    *STABILITY_OF_POINTS,
    *EXPONENTS,
    *FLOWS,
    *FRAMEWORKS,
    *MEASURE,
    *MONITOR,
    *PICTURES,
    *THEORY,
    *PYTORCH,
    *REMEDIES,
    *REPORTS,
    *SPECTRA_IN_WINDOWS,
    *SWEEP,
    *TRAIN,
]
