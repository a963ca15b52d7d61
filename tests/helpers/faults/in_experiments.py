"""Faults in the experiments that open trained nets by their fixed points, lines and bifurcations."""

from .fault import Fault

CUBE, LINE = "experiments/test_flip_flop.py::test_", "experiments/test_integrator.py::test_"
CHAOS = "experiments/test_bifurcations.py::test_"

EXPERIMENTS = [
    Fault(
        "cube-unstable-directions-off-by-one",
        "../experiments/flip_flop_figure.py",
        "(net.found.unstable == unstable))) for unstable in range(4)",
        "(net.found.unstable == unstable))) for unstable in range(1, 5)",
        f"{CUBE}the_wired_cube_has_8_corners_12_edges_6_faces_and_a_centre",
    ),
    Fault(
        "cube-equal-bits-counted",
        "../experiments/flip_flop_figure.py",
        "np.sum(bits[:, 0] != bits[:, 1], axis=1)",
        "np.sum(bits[:, 0] == bits[:, 1], axis=1)",
        f"{CUBE}each_edge_leads_to_the_two_corners_that_it_joins",
    ),
    Fault(
        "cube-without-its-corners",
        "../experiments/flip_flop_figure.py",
        "len(np.unique(np.sign(memories), axis=0)) == 8",
        "len(memories) == 8",
        f"{CUBE}memories_that_hold_the_same_bits_are_no_cube",
    ),
    Fault(
        "cube-one-way-out-twice",
        "../experiments/flip_flop.py",
        "[directions, -directions]",
        "[directions, directions]",
        f"{CUBE}each_edge_leads_to_the_two_corners_that_it_joins",
    ),
    Fault(
        "cube-gradient-of-the-second-direction",
        "../experiments/flip_flop_figure.py",
        "growing = -net.found.time_constants[good(net) & (net.found.unstable == 1), 0]",
        "growing = -net.found.time_constants[good(net) & (net.found.unstable == 1), 1]",
        f"{CUBE}the_figure_says_what_is_found",
    ),
    Fault(
        "integrator-drift-reversed",
        "../experiments/integrator_figure.py",
        "np.asarray(slow.drift[on] @ V),",
        "-np.asarray(slow.drift[on] @ V),",
        f"{LINE}a_line_through_its_readout",
    ),
    Fault(
        "integrator-along-for-across",
        "../experiments/integrator_figure.py",
        "along = constants[rows, nearest]",
        "along = constants[rows, -1]",
        f"{LINE}a_line_through_its_readout",
    ),
    Fault(
        "integrator-undecided-drawn-as-stable",
        "../experiments/integrator_figure.py",
        "~net.found.outlier & ~net.found.undecided",
        "~net.found.outlier",
        f"{LINE}undecided_points_are_not_drawn_as_stable",
    ),
    Fault(
        "chaos-by-the-second-exponent",
        "../experiments/bifurcations_figure.py",
        'first, second = at.exponent.transpose("index", "gain").values',
        'second, first = at.exponent.transpose("index", "gain").values',
        f"{CHAOS}the_exponents_name_the_attractor",
    ),
    Fault(
        "chaos-explodes-unmeasured",
        "../experiments/bifurcations_figure.py",
        "if np.median(grown[chaos]) > grown[~chaos].max(initial=0) else",
        "if True else",
        f"{CHAOS}gradients_explode_in_chaos_only_if_they_are_larger_there",
    ),
    Fault(
        "period-off-by-one",
        "../experiments/bifurcations.py",
        "return int(back[0] + 1) if len(back) else 0",
        "return int(back[0]) if len(back) else 0",
        f"{CHAOS}the_period_of_an_orbit",
    ),
]
