"""Faults in the pictures of fixed points and branches, in the speeds of a plane, and in what reports say of them."""

from .fault import Fault

STATES, BRANCHES = "plot/test_state_space.py::test_", "plot/test_bifurcations.py::test_"
SPEEDS, RESTS = "fixed_points/test_landscape.py::test_", "reports/test_rest.py::test_"

FIXED_POINTS_PICTURES = [
    Fault(
        "stable-drawn-as-unstable",
        "plot/kinds_of_points.py",
        "return STABLE if unstable == 0 else",
        "return STABLE if unstable == 1 else",
        f"{STATES}each_kind_has_its_own_look_and_only_stable_points_are_filled",
    ),
    Fault(
        "undecided-drawn-as-decided",
        "plot/kinds_of_points.py",
        "if found.undecided[i]:",
        "if False:",
        f"{STATES}undecided_and_slow_points_look_different",
    ),
    Fault(
        "outliers-left-out-in-silence",
        "plot/kinds_of_points.py",
        'say_some(axes, far, "not drawn: far from',
        'say_some(axes, far & False, "not drawn: far from',
        f"{STATES}outliers_are_left_out_and_said_or_drawn",
    ),
    Fault(
        "components-swapped",
        "plot/state_space.py",
        "places = (points - shown.mean) @ shown.directions.T",
        "places = (points - shown.mean) @ shown.directions[::-1].T",
        f"{STATES}points_stand_at_their_principal_components",
    ),
    Fault(
        "left-directions-for-right-ones",
        "plot/state_space.py",
        "np.asarray(found.right)[i",
        "np.asarray(found.left)[i",
        f"{STATES}lines_are_the_unstable_directions_within_the_picture",
    ),
    Fault(
        "speeds-in-e-folds",
        "plot/landscapes.py",
        "np.log10(speed)",
        "np.log(speed)",
        f"{STATES}speeds_are_colours_in_decades_where_they_were_measured",
    ),
    Fault(
        "unstable-branch-solid",
        "plot/bifurcations.py",
        'np.asarray(branch.stable), "stable", "unstable")',
        'np.asarray(branch.stable), "unstable", "stable")',
        f"{BRANCHES}a_branch_is_solid_up_to_its_bifurcation_and_dashed_beyond",
    ),
    Fault(
        "one-state-of-a-cycle",
        "plot/bifurcations.py",
        "axes.plot(across, shown,",
        "axes.plot(across, shown[:, :1],",
        f"{BRANCHES}a_cycle_is_drawn_as_all_its_states_in_a_colour_of_its_period",
    ),
    Fault(
        "bifurcation-off-its-fold",
        "plot/bifurcations.py",
        "at = int(np.nanargmin(detours)) + 1",
        "at = int(np.nanargmin(detours)) + 3",
        f"{BRANCHES}the_stable_side_of_a_fold_is_solid_down_to_its_tip",
    ),
    Fault(
        "names-upon-names",
        "plot/free_places.py",
        "np.argmin(costs)",
        "0",
        f"{BRANCHES}names_lie_apart_and_within_the_axes",
    ),
    Fault(
        "plane-transposed",
        "fixed_points/landscape.py",
        "vector + a * directions[0] + b * directions[1]",
        "vector + b * directions[0] + a * directions[1]",
        f"{SPEEDS}speed_and_flow_are_those_of_single_steps",
    ),
    Fault(
        "oblique-directions",
        "fixed_points/landscape.py",
        "np.stack([first, rest / np.linalg.norm(rest)])",
        "np.stack([first, second / np.linalg.norm(second)])",
        f"{SPEEDS}directions_are_made_orthonormal_in_their_plane",
    ),
    Fault(
        "report-slowest-of-all-points",
        "reports/rest_in_words.py",
        "the slowest time constant at a stable one is {_steps(slowest(found, stable))}",
        "the slowest time constant at a stable one is {_steps(slowest(found, fixed))}",
        f"{RESTS}sentences_of_other_points",
    ),
    Fault(
        "report-counts-outliers",
        "reports/rest_in_words.py",
        "return near if near.any() else",
        "return near | True if near.any() else",
        f"{RESTS}sentences_of_other_points",
    ),
    Fault(
        "report-first-input-for-their-mean",
        "reports/where_it_rests.py",
        "jnp.mean(leaf, axis=0, dtype=leaf.dtype)",
        "leaf[0]",
        f"{RESTS}points_are_those_at_the_mean_input",
    ),
    Fault(
        "report-time-constant-of-eigenvalue-1",
        "reports/rest_in_words.py",
        "times[slow, nearest[slow]] = np.nan",
        "pass",
        f"{RESTS}the_eigenvalue_1_of_a_slow_point_is_no_time_constant",
    ),
    Fault(
        "landscape-speeds-at-wrong-ticks",
        "plot/landscapes.py",
        'labels=[f"{10**power:.4g}" for power in ticks]',
        'labels=[f"{power:.4g}" for power in ticks]',
        f"{STATES}the_colour_bar_is_as_high_as_the_picture_and_shows_round_speeds",
    ),
]
