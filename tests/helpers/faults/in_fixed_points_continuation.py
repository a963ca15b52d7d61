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
    Fault("continuation-values-passed-over", ARCLENGTH, "b = _at_value(family, a, b, value) or b", "pass", FOLDS),
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
    Fault("continuation-cycle-not-closed", FAMILY, "(rows + n) % count", "rows", CASCADE),
    Fault(
        "continuation-angle-mirrored", SPECIAL, "np.exp(1j * group.mean())", "np.exp(-1j * group.mean())", ZERO_STATE
    ),
    Fault(
        "continuation-sees-only-totals",
        SPECIAL,
        "if _counts(a) == _counts(b) and not turned:",
        "if outside(a) == outside(b) and not turned:",
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
        "if any(_lies_on(curve, new.first[-1]) for curve in curves):",
        "if False:",
        f"{TESTS}starts_on_one_branch_are_followed_once",
    ),
    Fault(
        "continuation-loops-without-end",
        CURVE,
        "len(curve.points) > 8 and _passes(curve, a, b)",
        "False",
        f"{TESTS}a_loop_of_two_pitchforks_is_followed_once",
    ),
]
