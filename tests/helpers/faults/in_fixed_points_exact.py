"""Faults in the exact cycles of piecewise-linear nets."""

from .fault import Fault

EXACT = "fixed_points/test_exact.py::test"
BRUTE_FORCE = f"{EXACT}_all_that_a_loop_over_all_regions_finds"
TENT = f"{EXACT}_the_tent_map_has_as_many_cycles_as_the_logistic_map"
STEPS = f"{EXACT}_a_step_is_written_as_a_piecewise_linear_net"

EXACT_CYCLES = [
    Fault(
        "kink-never-on",
        "fixed_points/exact/region_tree.py",
        "for label in (kink, kink + tables.columns.shape[1]):",
        "for label in (kink, kink):",
        BRUTE_FORCE,
    ),
    Fault(
        "limit-reached-and-complete",
        "fixed_points/exact/region_tree.py",
        "return Tree(_sequences(found, period), nodes, complete=False)",
        "return Tree(_sequences(found, period), nodes, complete=True)",
        f"{EXACT}_too_many_regions_need_a_search",
    ),
    Fault(
        "free-direction-one-sided",
        "fixed_points/exact/region_tree.py",
        "T = np.concatenate([T, -T[:, p * m :]], axis=1)",
        "T = np.concatenate([T, 0 * T[:, p * m :]], axis=1)",
        f"{EXACT}_a_line_is_said_and_not_listed_point_by_point",
    ),
    Fault(
        "closed-row-may-be-positive",
        "fixed_points/exact/dual_simplex.py",
        "& (t > 0), -1.0, 1.0)",
        "& (t > 0), 1.0, 1.0)",
        f"{EXACT}_feasibility_agrees_with_scipy",
    ),
    Fault(
        "closed-column-enters",
        "fixed_points/exact/dual_simplex.py",
        "(coefficients > small) & ~np.take_along_axis(tables.closed, tables.columns, 1)",
        "coefficients > small",
        f"{EXACT}_feasibility_agrees_with_scipy",
    ),
    Fault(
        "proof-without-rounding",
        "fixed_points/exact/dual_simplex.py",
        "return multipliers @ system.t < -LARGEST * (negative + rounded)",
        "return multipliers @ system.t < 0",
        f"{EXACT}_rounding_excludes_no_cycle_with_large_states",
    ),
    Fault(
        "steps-of-a-cycle-reversed",
        "fixed_points/cycles/cyclic_system.py",
        "(at + 1) % p",
        "(at - 1) % p",
        BRUTE_FORCE,
    ),
    Fault(
        "rotations-are-other-cycles",
        "fixed_points/exact/region_points.py",
        "for shift in range(len(regions))), place)",
        "for shift in range(1)), place)",
        f"{EXACT}_a_search_finds_the_same",
    ),
    Fault(
        "point-on-a-kink-twice",
        "fixed_points/exact/region_points.py",
        "kept[i] = not others.any()",
        "kept[i] = True",
        f"{EXACT}_a_point_on_kinks_is_listed_once_and_not_called_stable",
    ),
    Fault(
        "every-period-is-true",
        "fixed_points/exact/exact_description.py",
        "return next(shifts, p)",
        "return p",
        TENT,
    ),
    Fault(
        "multipliers-of-all-p-steps",
        "fixed_points/exact/exact_description.py",
        "found.regions[i, :period]",
        "found.regions[i]",
        TENT,
    ),
    Fault(
        "idle-kink-forgotten",
        "fixed_points/exact/piecewise_linear.py",
        "c + V @ np.where((C == 0).all(axis=1), np.maximum(d, 0), 0)",
        "c",
        f"{EXACT}_idle_kinks_count_for_nothing",
    ),
    Fault(
        "where-turned-round",
        "fixed_points/exact/kinks_of_step.py",
        "(if_not, if_so) if condition.above else (if_so, if_not)",
        "(if_so, if_not) if condition.above else (if_so, if_not)",
        STEPS,
    ),
    Fault(
        "net-of-a-step-not-compared",
        "fixed_points/exact/piecewise_linear_of.py",
        "if not jnp.all(wrong <= 1e4 * jnp.finfo(vector.dtype).eps):",
        "if jnp.any(jnp.isnan(wrong)):",
        f"{EXACT}_a_step_that_is_not_piecewise_linear_is_refused",
    ),
    Fault(
        "exact-large-weights-hide-others",
        "fixed_points/exact/region_points.py",
        "units = _units(steps)",
        "units = np.ones(steps.shape[:2])",
        f"{EXACT}_large_weights_split_no_cycle",
    ),
]
