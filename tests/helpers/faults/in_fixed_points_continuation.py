"""Faults in the continuation of fixed points and cycles."""

from .fault import Fault

ARCLENGTH, CURVE, DIAGRAM = (
    "fixed_points/branches/arclength.py",
    "fixed_points/branches/curve.py",
    "fixed_points/branches/diagram.py",
)
FAMILY, SPECIAL, SWITCHING = (
    "fixed_points/branches/family.py",
    "fixed_points/branches/special_points.py",
    "fixed_points/branches/switching.py",
)
TESTS = "fixed_points/test_continuation.py::test_"
CASCADE = f"{TESTS}the_cascade_of_the_logistic_map"
FOLDS = f"{TESTS}an_s_shaped_curve_is_followed_through_both_of_its_folds"
ZERO_STATE = f"{TESTS}the_zero_state_of_a_tanh_net_bifurcates_where_an_eigenvalue_of_its_weights_passes_the_unit_circle"

CONTINUATION = [
    Fault(
        "continuation-tangent-always-up",
        ARCLENGTH,
        "b = point(family, found.u, found.local, a.tangent)",
        "b = point(family, found.u, found.local, np.eye(a.u.size)[-1])",
        FOLDS,
    ),
    Fault("continuation-values-passed-over", ARCLENGTH, "b = at_value(family, a, b, value) or b", "pass", FOLDS),
    Fault(
        "continuation-tangent-not-oriented",
        CURVE,
        "(a.tangent[-1] >= 0) == upwards",
        "(a.tangent[-1] >= 0)",
        f"{TESTS}past_a_fold_the_branch_comes_back_to_the_first_value",
    ),
    Fault(
        "continuation-product-reversed",
        FAMILY,
        "jacobian @ product",
        "product @ jacobian",
        f"{TESTS}multipliers_of_a_cycle_are_those_of_the_composed_map",
    ),
    Fault("continuation-cycle-not-closed", "fixed_points/cycles/cyclic_system.py", "(at + 1) % p", "at", CASCADE),
    Fault(
        "continuation-angle-mirrored", SPECIAL, "np.exp(1j * group.mean())", "np.exp(-1j * group.mean())", ZERO_STATE
    ),
    Fault(
        "continuation-sees-only-totals",
        SPECIAL,
        "if counts[0] == counts[1] and not turned:",
        "if counts[0][0] == counts[1][0] and not turned:",
        f"{TESTS}multipliers_that_come_in_and_go_out_within_one_step_are_all_seen",
    ),
    Fault(
        "continuation-branch-points-not-interpolated",
        SPECIAL,
        "shift = float(np.real(nearest)) if abs(nearest) < 1.0 else 0.0",
        "shift = 0.5",
        f"{TESTS}a_transcritical_point_is_located_from_either_branch_and_either_side",
    ),
    Fault(
        "continuation-folds-are-branch-points",
        SPECIAL,
        "turned = bool(before.tangent[-1] * after.tangent[-1] < 0)",
        "turned = False",
        FOLDS,
    ),
    Fault("continuation-flip-not-alternating", SWITCHING, "*(-each for each in w)", "*w", CASCADE),
    Fault(
        "continuation-one-side-of-a-pitchfork",
        SWITCHING,
        "for sign in (1.0, -1.0)",
        "for sign in (1.0,)",
        f"{TESTS}a_pitchfork_leads_to_both_of_its_branches",
    ),
    Fault(
        "continuation-branches-followed-twice",
        DIAGRAM,
        "if not first or any(_lies_on(curve, first[-1]) for curve in curves):",
        "if not first:",
        f"{TESTS}starts_on_one_branch_are_followed_once",
    ),
    Fault(
        "continuation-loops-without-end",
        CURVE,
        "len(curve.points) > 8 and _passes(curve, a, b)",
        "False",
        f"{TESTS}a_loop_of_two_pitchforks_is_followed_once",
    ),
    Fault(
        "continuation-stuck-at-a-fold",
        "fixed_points/branches/arclength.py",
        "if sizes[-1] <= 1e-6 * sizes[0]:",
        "if True:",
        f"{TESTS}a_start_at_a_fold_is_followed_into_the_range",
    ),
    Fault(
        "continuation-rounding-crosses",
        SPECIAL,
        "return np.maximum(*off) > NEUTRAL * eps",
        "return np.maximum(*off) >= 0",
        f"{TESTS}multipliers_that_stay_on_the_unit_circle_cross_nothing",
    ),
    Fault(
        "continuation-out-of-range",
        DIAGRAM,
        "first = _within_range(new.family, new.first)",
        "first = new.first",
        f"{TESTS}branches_stay_within_the_range",
    ),
]
