"""Faults in what is said of fixed points, of lines of them, and of slow manifolds."""

from .fault import Fault

MERGE = "fixed_points/test_merge.py::test"
EIGEN = "fixed_points/test_eigen_analysis.py::test"
POINTS = "fixed_points/test_described_points.py::test"
LINES = "fixed_points/test_lines_of_points.py::test"
SLOW = "fixed_points/test_slow_manifolds.py::test"

STABILITY_OF_POINTS = [
    Fault(
        "badly-known-ends-join-all-that-is-near",
        "fixed_points/points/merge.py",
        "FACTOR * (error[i] + error[window])",
        "FACTOR * (error[i] + largest)",
        f"{MERGE}_ends_within_their_errors_are_one_point_and_others_are_not",
    ),
    Fault(
        "badly-known-ends-choose-first",
        "fixed_points/points/merge.py",
        "np.lexsort((residual, error))",
        "np.lexsort((error, residual))",
        f"{MERGE}_an_end_known_badly_does_not_make_one_of_two_points",
    ),
    Fault(
        "no-polishing",
        "fixed_points/points/describe.py",
        "POLISHING = 12",
        "POLISHING = 0",
        f"{MERGE}_a_fixed_point_is_moved_to_the_last_digits",
    ),
    Fault(
        "left-vectors-not-conjugated",
        "fixed_points/eigen_analysis.py",
        "_inverse(vectors).conj().T",
        "_inverse(vectors).T",
        f"{EIGEN}_a_complex_pair_is_in_the_order_of_its_magnitudes",
    ),
    Fault(
        "right-vectors-for-left-ones",
        "fixed_points/eigen_analysis.py",
        "return EigenAnalysis(eigenvalues, right, left, error)",
        "return EigenAnalysis(eigenvalues, right, right, error)",
        f"{EIGEN}_left_and_right_vectors_of_a_nonnormal_matrix",
    ),
    Fault(
        "jordan-block-not-seen",
        "fixed_points/eigen_analysis.py",
        "gaps <= 10 *",
        "gaps < 0 *",
        f"{EIGEN}_a_jordan_block_has_no_left_vectors_and_a_root_of_eps_as_error",
    ),
    Fault(
        "real-parts-for-magnitudes",
        "fixed_points/points/describe.py",
        "np.sum(judged > 1 + analysis.error, axis=1)",
        "np.sum(analysis.eigenvalues.real > 1 + analysis.error, axis=1)",
        f"{POINTS}_eigenvalues_are_judged_by_their_magnitude",
    ),
    Fault(
        "stable-without-its-error",
        "fixed_points/points/describe.py",
        "np.all(judged < 1 - analysis.error, axis=1)",
        "np.all(judged <= 1, axis=1)",
        f"{POINTS}_stability_is_undecided_at_one_and_only_there",
    ),
    Fault(
        "slow-points-judged-by-their-eigenvalue-1",
        "fixed_points/points/describe.py",
        "slow = np.flatnonzero(~fixed)",
        "slow = np.flatnonzero(fixed & ~fixed)",
        f"{POINTS}_slow_points_are_merged_and_are_not_fixed",
    ),
    Fault(
        "error-of-the-point-forgotten",
        "fixed_points/points/describe.py",
        "eigen_analysis(points.J, shifted - points.J, searched.eps)",
        "eigen_analysis(points.J, 0 * shifted, searched.eps)",
        f"{POINTS}_the_error_of_the_point_counts",
    ),
    Fault(
        "shares-of-all-inputs-together",
        "fixed_points/points/describe.py",
        "/ len(problem.vectors)",
        "/ count",
        f"{POINTS}_each_input_has_its_points_and_its_shares",
    ),
    Fault(
        "bifurcation-taken-for-a-line",
        "fixed_points/points/continua.py",
        "holds = np.linalg.norm(change, axis=1) <= 10 *",
        "holds = np.linalg.norm(change, axis=1) <= 1e15 *",
        f"{LINES}_a_bifurcation_is_no_line",
    ),
    Fault(
        "lines-joined-across-a-point",
        "fixed_points/points/continua.py",
        "holds & (_flat(search, found)[0] > 0) & lies",
        "holds & lies",
        f"{LINES}_two_lines_are_two_and_a_point_beside_them_is_alone",
    ),
    Fault(
        "candidates-leave-their-place-on-the-manifold",
        "fixed_points/manifolds/slow_states.py",
        "fast = np.where(is_slow, 0, ",
        "fast = np.where(is_slow, 0.5 * components, ",
        f"{SLOW}_the_fast_directions_are_those_of_the_left_vectors",
    ),
    Fault(
        "rotations-taken-for-slow",
        "fixed_points/manifolds/slow_states.py",
        "np.abs(1 - eigenvalues) <= slow",
        "np.abs(1 - np.abs(eigenvalues)) <= slow",
        f"{SLOW}_a_rotation_is_not_slow",
    ),
]
