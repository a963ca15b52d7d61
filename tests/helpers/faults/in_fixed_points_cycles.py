"""Faults in the search for cycles."""

from .fault import Fault

CYCLES = "fixed_points/test_cycles.py::test"
SYSTEM = "fixed_points/test_cyclic_system.py::test"

FIXED_POINTS_CYCLES = [
    Fault(
        "cycles-jacobians-backwards",
        "fixed_points/cycles/floquet.py",
        "    for one in J:\n        V, factor",
        "    for one in J[::-1]:\n        V, factor",
        f"{CYCLES}_the_order_of_the_jacobians",
    ),
    Fault(
        "cycles-period-not-reduced",
        "fixed_points/cycles/same_cycles.py",
        "            return q\n    return p",
        "            return p\n    return p",
        f"{CYCLES}_a_two_cycle_is_not_four",
    ),
    Fault(
        "cycles-shifts-not-merged",
        "fixed_points/cycles/same_cycles.py",
        "for s in range(p)]\n        label",
        "for s in range(1)]\n        label",
        f"{SYSTEM}_shifts_of_a_cycle_are_one_and_neighbours_are_two",
    ),
    Fault(
        "cycles-multipliers-over-p-steps",
        "fixed_points/cycles/cycle_refinement.py",
        "np.split(J, cuts)",
        "[np.resize(one, (states.shape[1], *one.shape[1:])) for one in np.split(J, cuts)]",
        f"{CYCLES}_all_cycles_of_the_logistic_map[2]",
    ),
    Fault(
        "cycles-rows-not-exchanged",
        "fixed_points/cycles/cyclic_system.py",
        "right = right[order]",
        "right = right",
        f"{SYSTEM}_it_equals_the_whole_matrix",
    ),
    Fault(
        "cycles-by-the-product",
        "fixed_points/cycles/floquet.py",
        "multipliers(J: np.ndarray) -> np.ndarray:",
        "multipliers(J: np.ndarray) -> np.ndarray:\n    J = product(J)[None]",
        f"{SYSTEM}_small_multipliers_are_right_to_all_digits",
    ),
    Fault(
        "cycles-without-mixed-starts",
        "fixed_points/cycles/cycle_rounds.py",
        "for turn in range(rounds):",
        "for turn in range(0):",
        f"{CYCLES}_one_candidate_is_enough_for_a_small_map",
    ),
    Fault(
        "cycles-families-listed",
        "fixed_points/cycles/cycle_stability.py",
        "of_family[family] = family[np.argmin(residual[family])]",
        "pass",
        f"{CYCLES}_a_plane_full_of_cycles_is_listed_once",
    ),
    Fault(
        "cycles-margin-without-response",
        "fixed_points/cycles/cycle_stability.py",
        "ends.states + sign * FACTOR * ends.response",
        "ends.states",
        f"{CYCLES}_at_its_birth_a_cycle_is_one_and_undecided",
    ),
    Fault(
        "cycles-shorter-ones-not-seen",
        "fixed_points/cycles/cycle_refinement.py",
        "states[rows[taken]], period[rows[taken]] = shorter.states[taken], q",
        "pass",
        f"{CYCLES}_at_a_period_doubling_there_is_no_longer_cycle_yet",
    ),
]
