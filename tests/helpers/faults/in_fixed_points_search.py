"""Faults in the search for fixed points."""

from .fault import Fault

SEARCH = "fixed_points/test_search.py::test"

FIXED_POINTS_SEARCH = [
    Fault(
        "search-deflation-sign",
        "fixed_points/points/deflation.py",
        "return change / (1 - jnp.sum",
        "return change / (1 + jnp.sum",
        f"{SEARCH}_the_deflated_step_is_the_newton_step_of_the_deflated_map",
    ),
    Fault(
        "search-slow-by-gauss-newton",
        "fixed_points/points/stages.py",
        "exact=exact,",
        "exact=False,",
        f"{SEARCH}_a_slow_point_is_said_to_be_slow",
    ),
    Fault(
        "search-inputs-mixed-up",
        "fixed_points/points/search.py",
        "which = np.repeat(np.arange(inputs), len(candidates))",
        "which = np.tile(np.arange(inputs), len(candidates))",
        f"{SEARCH}_several_inputs_at_once",
    ),
    Fault(
        "search-known-listed",
        "fixed_points/points/search.py",
        "found.add(np.tile(known, (inputs, 1)), np.repeat(np.arange(inputs), len(known)))",
        "pass",
        f"{SEARCH}_known_points_are_divided_out",
    ),
    Fault(
        "search-deaf-to-the-indices",
        "fixed_points/points/search.py",
        "over = not missing or (generation + 1) * count >= patience",
        "over = True",
        f"{SEARCH}_the_search_goes_on_while_the_sum_of_indices_proves_that_points_are_missing",
    ),
    Fault(
        "search-silent-about-missing-points",
        "fixed_points/points/find.py",
        "incomplete=search.incomplete",
        "incomplete=False",
        f"{SEARCH}_it_is_said_that_points_are_missing",
    ),
    Fault(
        "candidates-noise",
        "fixed_points/points/candidates.py",
        "jnp.maximum(spread, 0.1 * least)",
        "spread",
        "fixed_points/test_candidates.py::test_noise_is_relative_to_the_spread_of_each_number",
    ),
]
