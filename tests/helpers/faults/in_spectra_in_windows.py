"""Faults in Lyapunov spectra that are measured in windows of time."""

from .fault import Fault

FRAMES = "machinery/test_window_frames.py::test"
JOINTS = "machinery/test_window_joints.py::test"
SPECTRA = "measure/test_lyapunov_windows.py::test"
SEQUENTIAL = f"{JOINTS}_joined_windows_grow_as_a_sequential_decomposition"
STEP_BY_STEP = f"{SPECTRA}_a_spectrum_in_windows_is_the_one_step_by_step[gru]"

SPECTRA_IN_WINDOWS = [
    Fault(
        "joint-forgets-the-frame-that-arrives",
        "machinery/window_joints.py",
        "b.unit @ (start.T @ a.Q)",
        "b.unit @ jnp.broadcast_to(jnp.eye(len(start), dtype=start.dtype), a.Q.shape)",
        f"{SEQUENTIAL}[S-2]",
    ),
    Fault(
        "first-frame-forgotten",
        "machinery/window_joints.py",
        "begin = begin._replace(Q=jnp.concatenate([first_frame[None], begin.Q[1:]]))",
        "begin = begin._replace(Q=jnp.concatenate([start[None], begin.Q[1:]]))",
        f"{SEQUENTIAL}[other-17]",
    ),
    Fault(
        "first-frame-forgotten-when-the-windows-are-gone-through-again",
        "machinery/window_joints.py",
        "begun = begin._replace(Q=jnp.concatenate([first_frame[None], through.Q[:-1]]))",
        "begun = begin._replace(Q=jnp.concatenate([start[None], through.Q[:-1]]))",
        f"{SEQUENTIAL}[other-2]",
    ),
    Fault(
        "groups-joined-at-the-wrong-distance",
        "machinery/window_joints.py",
        "doublings = 2 ** np.arange(",
        "doublings = 1 + np.arange(",
        f"{SEQUENTIAL}[S-26]",
    ),
    Fault(
        "frames-at-the-ends-not-moved-into-the-triangles",
        "machinery/window_joints.py",
        "each = Window(Q, logs + F_logs, _times(F_unit, logs, unit))",
        "each = Window(Q, logs + F_logs, unit)",
        f"{SEQUENTIAL}[S-2]",
    ),
    Fault(
        "volumes-of-the-ends-forgotten",
        "machinery/window_joints.py",
        "each = Window(Q, logs + F_logs, _times",
        "each = Window(Q, logs, _times",
        f"{SEQUENTIAL}[S-1]",
    ),
    Fault(
        "joints-pivot-by-the-entries-alone",
        "machinery/window_joints.py",
        "held = jax.lax.stop_gradient(jnp.log(jnp.abs(entries)) + logs)",
        "held = jax.lax.stop_gradient(jnp.log(jnp.abs(entries)) + 0 * logs)",
        f"{JOINTS}_growth_over_thousands_of_nats_is_exact",
    ),
    Fault(
        "joints-lose-nothing",
        "machinery/window_joints.py",
        "lost = put(lost, chosen.its_size - jax.lax.stop_gradient(log_pivot), i, 0)",
        "lost = put(lost, 0 * chosen.its_size, i, 0)",
        f"{JOINTS}_a_joint_that_loses_digits_says_how_many",
    ),
    Fault(
        "ratio-of-growths-forgotten",
        "machinery/window_frames.py",
        "before - _at(before, i)[None], -jnp.inf",
        "0 * before, -jnp.inf",
        f"{FRAMES}_triangles_of_several_factorisations_multiply[float64-3]",
    ),
    Fault(
        "growths-of-earlier-columns-overflow",
        "machinery/window_frames.py",
        "jnp.exp(jnp.where((later > i)[:, None], before - _at(before, i)[None], -jnp.inf))",
        "jnp.where((later > i)[:, None], jnp.exp(before - _at(before, i)[None]), 0)",
        f"{SPECTRA}_derivatives_are_numbers_where_exponents_part_by_a_thousand_nats_within_a_window",
    ),
    Fault(
        "threads-give-plain-numbers-their-types",
        "measure/windows_of_time.py",
        "jax.device_put(calls)",
        "list(calls)",
        f"{SPECTRA}_threads_take_the_types_of_plain_numbers_from_the_caller",
    ),
    Fault(
        "row-of-a-pivot-not-quite-zero",
        "machinery/window_frames.py",
        "jnp.where(chosen, sign, scaled)",
        "jnp.where(chosen, sign * (1 - jnp.finfo(sign.dtype).epsneg), scaled)",
        f"{FRAMES}_frames_times_triangles_are_what_was_factored[float64-(5, 5)]",
    ),
    Fault(
        "sign-of-a-pivot-forgotten",
        "machinery/window_frames.py",
        "jnp.where(chosen, sign, 0)",
        "jnp.where(chosen, jnp.sign(sizes), 0)",
        f"{FRAMES}_frames_times_triangles_are_what_was_factored[float64-(2, 2)]",
    ),
    Fault(
        "several-pivots-at-once",
        "machinery/window_frames.py",
        "chosen = first(held == jnp.max(held, axis=0)[None])",
        "chosen = held == jnp.max(held, axis=0)[None]",
        f"{FRAMES}_of_equal_entries_one_alone_is_the_pivot[float64]",
    ),
    Fault(
        "small-determinants-underflow",
        "machinery/window_frames.py",
        "J, total = J / sizes, total + jnp.sum(jnp.log(sizes), axis=(0, 1))",
        "J, total = J, 0 * total",
        f"{FRAMES}_determinants_of_tiny_rows_or_columns_are_seen[float32-0-3]",
    ),
    Fault(
        "sums-of-windows-not-compensated",
        "machinery/window_frames.py",
        "compensated(grown.logs, jnp.concatenate(logs) + grown.rest)",
        "grown.logs + jnp.concatenate(logs), grown.rest",
        f"{FRAMES}_sums_of_logarithms_keep_what_each_addition_rounds_off",
    ),
    Fault(
        "skipped-steps-not-skipped",
        "machinery/time_windows.py",
        "jnp.where(now.skipped[None, None], F, pushed), jnp.where(now.skipped, 0, more)",
        "pushed, more",
        STEP_BY_STEP,
    ),
    Fault(
        "frame-burn-in-of-windows-counted",
        "machinery/time_windows.py",
        "upto = jnp.cumsum(growth[first:], axis=0)[segment - first :]",
        "upto = jnp.cumsum(growth, axis=0)[segment:]",
        STEP_BY_STEP,
    ),
    Fault(
        "joints-weigh-ever-less",
        "machinery/time_windows.py",
        "jnp.minimum(jnp.log(factorisations), LESS)",
        "jnp.log(factorisations)",
        f"{SPECTRA}_units_that_exchange_their_roles_between_long_windows_are_measured_step_by_step",
    ),
    Fault(
        "overtaken-columns-believed",
        "machinery/time_windows.py",
        "jnp.maximum(jnp.max(lost[first:], axis=0), _overtaken(growth))[:k]",
        "jnp.max(lost[first:], axis=0)[:k]",
        f"{SPECTRA}_units_that_exchange_their_roles_in_many_windows_are_measured_step_by_step",
    ),
    Fault(
        "windows-always-believed",
        "measure/lyapunov.py",
        "return either(_saw_all(run), found, step_by_step)",
        "return found",
        f"{SPECTRA}_dead_units_are_measured_step_by_step",
    ),
    Fault(
        "shares-in-the-wrong-order",
        "machinery/time_windows.py",
        "for number in range(plan.shares)]",
        "for number in reversed(range(plan.shares))]",
        f"{SPECTRA}_windows_shared_out_to_threads_give_the_same",
    ),
]
