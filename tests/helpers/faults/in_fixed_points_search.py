"""Faults in the search for fixed points."""

from .fault import Fault

SEARCH = "fixed_points/test_search.py::test"

FIXED_POINTS_SEARCH = [
    Fault(
        "search-deflation-sign",
        "fixed_points/deflation.py",
        "return change / (1 - jnp.sum",
        "return change / (1 + jnp.sum",
        f"{SEARCH}_deflation_finds_the_other_points_from_the_same_candidate",
    ),
    Fault(
        "search-polish-in-float32",
        "fixed_points/stages.py",
        "rows = new_rows(vectors.astype(dtype_of(self.maps.step)))",
        "rows = new_rows(vectors.astype(np.float32).astype(dtype_of(self.maps.step)))\n        return np.asarray("
        "rows.vectors), np.full(len(vectors), True)",
        f"{SEARCH}_points_of_a_scalar_tanh_net[float64-2.0]",
    ),
    Fault(
        "search-slow-without-curvature",
        "fixed_points/stages.py",
        "(at.change <= least) & (at.damping <= 1e-3)",
        "at.change <= 2.0",
        f"{SEARCH}_a_saddle_of_the_speed_is_no_slow_point",
    ),
    Fault(
        "search-inputs-mixed-up",
        "fixed_points/search.py",
        "which = np.repeat(np.arange(inputs), len(candidates))",
        "which = np.tile(np.arange(inputs), len(candidates))",
        f"{SEARCH}_several_inputs_at_once",
    ),
    Fault(
        "search-known-listed",
        "fixed_points/search.py",
        "found.add(np.tile(known, (inputs, 1)), np.repeat(np.arange(inputs), len(known)), counted=False)",
        "pass",
        f"{SEARCH}_known_points_are_divided_out",
    ),
    Fault(
        "search-without-combinations-counted",
        "fixed_points/found.py",
        "self.met[np.argmax(same)] += counted",
        "self.met[np.argmin(same)] += counted",
        f"{SEARCH}_points_met_once_tell_of_others",
    ),
    Fault(
        "candidates-noise",
        "fixed_points/candidates.py",
        "jnp.maximum(spread, 0.1 * least)",
        "spread",
        "fixed_points/test_candidates.py::test_noise_is_relative_to_the_spread_of_each_number",
    ),
]
