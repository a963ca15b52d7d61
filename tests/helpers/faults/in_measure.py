"""Faults in measurements."""

from .fault import Fault

JACOBIAN = "measure/test_jacobian.py::test"
PRODUCT = "measure/test_product.py::test"
GRADIENTS = "measure/test_gradients.py::test"
FLOW = "measure/test_flow.py::test"
LYAPUNOV = "measure/test_lyapunov.py::test"
COVARIANT = "measure/test_covariant.py::test"
PARALLEL = "measure/test_parallel_states.py::test"
RECURRENCE = "machinery/test_linear_recurrence.py::test"
SINGULAR = "measure/test_singular_values.py::test"
EIGEN = "measure/test_eigen.py::test"
CAPTURED = "machinery/test_captured_arrays.py::test"
BY_NAME = f"{CAPTURED}_captured_arrays_are_seen_as_they_are_and_compiled_once"

JACOBIANS = [
    Fault(
        "jacobian-transposed",
        "measure/jacobian.py",
        "unflatten(v), x))[0])(vector)",
        "unflatten(v), x))[0])(vector).T",
        f"{JACOBIAN}_linear_net_has_W_not_its_transpose",
    ),
    Fault(
        "jacobian-after-the-step",
        "measure/jacobian.py",
        "jnp.concatenate([jnp.asarray(first, all_.dtype)[None], all_[:-1]])",
        "all_",
        f"{JACOBIAN}_jacobians_along_the_trajectory_and_their_product[elman]",
    ),
    Fault(
        "lstm-without-c",
        "machinery/state_vector.py",
        "return jax.tree.unflatten(tree, [jax.lax.complex(*part) if pair else part for part, pair in parts])",
        "first, *rest = [jax.lax.complex(*part) if pair else part for part, pair in parts]\n"
        "        return jax.tree.unflatten(tree, [first, *map(jax.lax.stop_gradient, rest)])",
        f"{JACOBIAN}_lstm_differentiates_h_and_c",
    ),
    Fault(
        "complex-conjugated",
        "machinery/state_vector.py",
        "jax.lax.complex(*part) if pair",
        "jax.lax.complex(part[0], -part[1]) if pair",
        f"{JACOBIAN}_complex_state_counts_as_real_pairs",
    ),
    Fault(
        "divergence-hidden",
        "machinery/linear_maps.py",
        "jnp.where(jnp.isfinite(after), 1, jnp.nan)",
        "jnp.where(jnp.isfinite(after), 1, 1)",
        f"{LYAPUNOV}_a_trajectory_that_diverges_has_no_exponents",
    ),
    Fault(
        "product-exponent",
        "measure/product.py",
        "exponent + shift, exponent_of(size)",
        "exponent, exponent_of(size)",
        f"{PRODUCT}_equals_the_explicit_product[linear]",
    ),
    Fault(
        "product-order",
        "measure/product.py",
        "from_exponent(rows.T, exponent + more)",
        "from_exponent(rows, exponent + more)",
        f"{PRODUCT}_order_is_forward_in_time_and_not_transposed",
    ),
    Fault(
        "scaled-order",
        "machinery/scaled.py",
        "rescaled(left.direction @ right.direction)",
        "rescaled(right.direction @ left.direction)",
        f"{PRODUCT}_scaled_products_and_norms[float64]",
    ),
    Fault(
        "scale-forgotten",
        "machinery/scaled.py",
        "return self.log_scale + jnp.log(",
        "return jnp.log(",
        f"{PRODUCT}_scaled_products_and_norms[float64]",
    ),
    Fault(
        "sum-of-exponents",
        "machinery/scaled.py",
        "jnp.where(top == lowest, 0, top + grown)",
        "jnp.where(top == lowest, 0, top)",
        f"{GRADIENTS}_log_norms_are_those_of_the_state_gradients[lstm]",
    ),
    Fault(
        "last-stretch",
        "measure/unroll.py",
        "leaf[whole:], xs), T - whole)",
        "leaf[: T - whole], xs), T - whole)",
        "measure/test_unroll.py::test_gradient_through_stretches_is_the_same",
    ),
]

OF_LOSSES = [
    Fault(
        "state-gradients-conjugated",
        "measure/gradients.py",
        "return jax.tree.map(jnp.conj, gradients[0])",
        "return gradients[0]",
        f"{GRADIENTS}_state_gradients_are_the_adjoints[lru]",
    ),
    Fault(
        "losses-one-step-late",
        "measure/gradients.py",
        "jnp.concatenate([jnp.zeros_like(direct[:1]), direct[:-1]])",
        "direct",
        f"{GRADIENTS}_log_norms_are_those_of_the_state_gradients[lstm]",
    ),
    Fault(
        "rtrl-immediate",
        "measure/rtrl.py",
        "out_axes=1)(directions, S)",
        "out_axes=1)(jnp.zeros_like(directions), S)",
        f"{GRADIENTS}_backpropagation_rtrl_and_double_sum_agree[elman]",
    ),
    Fault(
        "rtrl-forgets",
        "measure/rtrl.py",
        "out_axes=1)(directions, S)",
        "out_axes=1)(directions, jnp.zeros_like(S))",
        f"{GRADIENTS}_backpropagation_rtrl_and_double_sum_agree[elman]",
    ),
    Fault(
        "rtrl-time",
        "measure/rtrl.py",
        "start, (xs, targets), length=T",
        "start, (xs, targets if targets is None else jax.tree.map(lambda t: t[::-1], targets)), length=T",
        f"{GRADIENTS}_backpropagation_rtrl_and_double_sum_agree[elman]",
    ),
    Fault(
        "contributions-lag",
        "measure/contributions.py",
        "jnp.roll(term, -k, axis=0)",
        "jnp.roll(term, 1 - k, axis=0)",
        f"{GRADIENTS}_contributions_entry_by_entry_and_truncation",
    ),
    Fault(
        "contributions-transposed",
        "measure/contributions.py",
        "Contributions(norms.T, by_lag",
        "Contributions(norms, by_lag",
        f"{GRADIENTS}_contributions_entry_by_entry_and_truncation",
    ),
    Fault(
        "window-off-by-one",
        "measure/parameter_gradient.py",
        "jnp.zeros((min(window, T), direct",
        "jnp.zeros((min(window + 1, T), direct",
        f"{GRADIENTS}_truncation_to_a_window_and_its_bias",
    ),
    Fault(
        "bias-off-by-one",
        "measure/parameter_gradient.py",
        "jnp.arange(T) >= K",
        "jnp.arange(T) > K",
        f"{GRADIENTS}_truncation_to_a_window_and_its_bias",
    ),
]

OF_THE_DOOR = [
    Fault(
        "stale-trace",
        "machinery/captured_arrays.py",
        "jax.make_jaxpr(anew, return_shape=True)",
        "jax.make_jaxpr(function, return_shape=True)",
        f"{BY_NAME}[steps_of_a_global]",
    ),
    Fault(
        "inner-jit-constants",
        "machinery/captured_arrays.py",
        "    program = name_of.with_constants_on_top(program)\n",
        "",
        f"{BY_NAME}[steps_of_an_inner_jit]",
    ),
    Fault(
        "literals-unnamed",
        "machinery/computation_name.py",
        "return _of_literal(value) if isinstance(value, Literal) else number(value)",
        'return "literal" if isinstance(value, Literal) else number(value)',
        f"{CAPTURED}_what_differs_in_more_than_arrays_is_another_computation",
    ),
    Fault(
        "rule-constants-unnamed",
        "machinery/computation_name.py",
        "found.append((_of_jaxpr(at.jaxpr), *map(_digest, at.consts)))",
        "found.append(_of_jaxpr(at.jaxpr))",
        f"{CAPTURED}_a_custom_rule_that_captures_an_array",
    ),
    Fault(
        "options-not-in-the-key",
        "machinery/compiled_programs.py",
        "key = measurement, outside, tree, tuple(map(jax.typeof, leaves)), tuple(options.items())",
        "key = measurement, outside, tree, tuple(map(jax.typeof, leaves)), ()",
        f"{FLOW}_curves_that_are_not_asked_for_are_none_and_the_others_unchanged",
    ),
    Fault(
        "programs-kept-for-ever",
        "machinery/compiled_programs.py",
        "while len(_programs) > MOST_PROGRAMS:",
        "while len(_programs) < 0:",
        f"{CAPTURED}_the_oldest_programs_are_forgotten",
    ),
    Fault(
        "no-warning-of-a-batch",
        "machinery/entry.py",
        "    if same:\n",
        "    if not same:\n",
        f"{CAPTURED}_a_batch_given_by_mistake_is_warned_of",
    ),
    Fault(
        "non-finite-accepted",
        "machinery/entry.py",
        "        if known and not _all_finite(leaf):\n",
        "        if known and _all_finite(leaf) is None:\n",
        "measure/test_unroll.py::test_bad_values_are_named",
    ),
    Fault(
        "lengths-may-differ",
        "machinery/entry.py",
        "        if size != T:\n",
        "        if size < 0:\n",
        "measure/test_unroll.py::test_bad_values_are_named",
    ),
    Fault(
        "sixteen-bits-accepted",
        "machinery/entry.py",
        "jnp.finfo(leaf.dtype).bits < 32",
        "jnp.finfo(leaf.dtype).bits < 16",
        f"{FLOW}_states_that_have_no_norm_are_refused",
    ),
    Fault(
        "gesdd",
        "machinery/svd.py",
        "by(linalg.SvdAlgorithm.QR)",
        "by(linalg.SvdAlgorithm.DEFAULT)",
        "machinery/test_svd.py::test_no_measurement_calls_the_kernel_that_waits_for_itself[values]",
    ),
]

OF_MATRICES = [
    Fault(
        "singular-end-frame",
        "measure/singular_values.py",
        "log_singular_values_of(times(by_qr(frame).triangle, product))",
        "log_singular_values_of(product)",
        f"{SINGULAR}_short_products_equal_a_singular_value_decomposition[elman]",
    ),
    Fault(
        "singular-order",
        "measure/singular_values.py",
        "times(whole.triangle, times(half.triangle, product))",
        "times(half.triangle, times(whole.triangle, product))",
        f"{SINGULAR}_short_products_equal_a_singular_value_decomposition[elman]",
    ),
    Fault(
        "singular-lost-digits",
        "measure/singular_values.py",
        "return jnp.where(jnp.cumsum(unseen) > 0, jnp.nan, values)",
        "return values",
        f"{SINGULAR}_zeros_that_are_exact_and_zeros_that_are_rounding",
    ),
    Fault(
        "singular-windows-believed",
        "measure/singular_values.py",
        "return log_singular_values_of(product), kept",
        "return log_singular_values_of(product), kept | True",
        f"{SINGULAR}_windows_that_cannot_see_a_value_leave_it_to_one_step_after_the_other",
    ),
    Fault(
        "joint-without-what-came-before",
        "machinery/window_joints.py",
        "unit = _times(found.T_unit, a.logs, a.unit)",
        "unit = a.unit",
        f"{SINGULAR}_windows_of_time_agree_with_one_step_after_the_other[5-400-9]",
    ),
    Fault(
        "graded-slope-of-a-zero",
        "machinery/graded_triangles.py",
        "norms = jnp.sqrt(jnp.where(zero, 1, squares))",
        "norms = jnp.sqrt(squares)",
        f"{SINGULAR}_a_factor_on_every_jacobian_is_one_on_every_value",
    ),
    Fault(
        "mean-square-not-mean",
        "measure/singular_values.py",
        " - math.log(len(log_values))",
        "",
        f"{SINGULAR}_the_mean_square_is_the_frobenius_norm",
    ),
    Fault(
        "covariant-forward",
        "measure/covariant.py",
        "c = jax.scipy.linalg.solve_triangular(R + jnp.diag(gone.astype(R.dtype)), c)",
        "c = R @ c",
        f"{COVARIANT}_those_of_a_constant_matrix_are_its_eigenvectors[4]",
    ),
    Fault(
        "covariant-rates-sign",
        "measure/covariant.py",
        "c / norms[None], -jnp.log(norms)",
        "c / norms[None], jnp.log(norms)",
        f"{COVARIANT}_those_of_a_constant_matrix_are_its_eigenvectors[4]",
    ),
    Fault(
        "angles-of-arrows",
        "measure/covariant.py",
        "jnp.arctan2(across, jnp.abs(along))",
        "jnp.arctan2(across, along)",
        f"{COVARIANT}_those_of_a_constant_matrix_are_its_eigenvectors[4]",
    ),
    Fault(
        "eigenvalues-without-a-way-off-a-cycle",
        "machinery/eigensystem.py",
        "jax.lax.complex(stuck * 0.3, stuck * 0.2)",
        "jax.lax.complex(0 * stuck, 0 * stuck)",
        "machinery/test_eigensystem.py::test_it_agrees_with_lapack",
    ),
    Fault(
        "eigenvalues-of-cpus-and-gpus-only",
        "measure/eigen.py",
        "return jnp.max(eigensystem.eigenvalues(square(W)).real)",
        "return jnp.max(jnp.linalg.eigvals(square(W)).real)",
        "test_lowering.py::test_it_lowers_for_every_platform_in_full_float32[eigen.spectral_abscissa]",
    ),
    Fault(
        "rounded-factors",
        "machinery/numpy_or_jax.py",
        "with float32_products():",
        "with jax.named_scope('finish'):",
        "test_lowering.py::test_it_lowers_for_every_platform_in_full_float32[measure.lyapunov_spectrum]",
    ),
    Fault(
        "transient-growth-end",
        "machinery/matrix_powers.py",
        "TransientGrowth(jnp.max(logs), jnp.argmax(logs))",
        "TransientGrowth(logs[-1], jnp.argmax(logs))",
        f"{EIGEN}_transient_growth_of_a_stable_non_normal_matrix",
    ),
    Fault(
        "power-exponent",
        "machinery/matrix_powers.py",
        "P.dtype), exponent + more\n",
        "P.dtype), more\n",
        f"{EIGEN}_a_nilpotent_matrix_and_huge_powers",
    ),
    Fault(
        "power-bound-without-condition",
        "machinery/matrix_powers.py",
        "condition * rate ** (n - 1) * (float(n) * off + unit * (condition + float(n)) * rate)",
        "rate ** (n - 1) * float(n) * unit",
        f"{EIGEN}_the_error_bound_of_a_nearly_defective_power_holds",
    ),
    Fault(
        "departure-of-all",
        "measure/eigen.py",
        "jnp.sum(jnp.abs(W) ** 2) - jnp.sum(jnp.abs(values) ** 2)",
        "jnp.sum(jnp.abs(W) ** 2)",
        f"{EIGEN}_normal_matrices_hide_nothing",
    ),
    Fault(
        "pseudospectrum-sign",
        "machinery/pseudospectrum.py",
        "dtype=z.dtype) - W.astype(z.dtype)",
        "dtype=z.dtype) + W.astype(z.dtype)",
        "machinery/test_pseudospectrum.py::test_a_normal_matrix_has_the_distance_to_its_spectrum",
    ),
    Fault(
        "pseudospectrum-no-root",
        "machinery/pseudospectrum.py",
        "scale / jnp.sqrt(found.largest)",
        "scale / found.largest",
        "machinery/test_pseudospectrum.py::test_both_paths_agree",
    ),
    Fault(
        "numerical-radius",
        "measure/eigen.py",
        "return jnp.maximum(values[-1], -values[0])",
        "return values[-1] / 2",
        f"{EIGEN}_numerical_radius_of_a_shift",
    ),
    Fault(
        "kaplan-yorke",
        "measure/attractor.py",
        "before / jnp.abs(following)",
        "before / jnp.abs(ordered[0])",
        "measure/test_attractor.py::test_kaplan_yorke",
    ),
]

OF_ALL_STATES_AT_ONCE = [
    Fault(
        "newton-transposed",
        "machinery/trajectory_root.py",
        "return after, jax.vmap(push, out_axes=1)(varying_like(basis, after))",
        "return after, jax.vmap(push, out_axes=0)(varying_like(basis, after))",
        f"{PARALLEL}_a_linear_net_takes_one_iteration_and_one_that_confirms_it[0.7]",
    ),
    Fault(
        "newton-forgets-residuals",
        "machinery/linear_recurrence.py",
        "v = times(now[0], v) + now[1]",
        "v = times(now[0], v)",
        f"{PARALLEL}_a_linear_net_takes_one_iteration_and_one_that_confirms_it[0.7]",
    ),
    Fault(
        "newton-unconverged-returned",
        "measure/parallel_states.py",
        "jnp.where(told, 1, jnp.nan)",
        "jnp.where(told, 1, 1)",
        f"{PARALLEL}_what_has_not_converged_says_so_and_is_nan",
    ),
    Fault(
        "newton-without-its-past",
        "machinery/trajectory_root.py",
        "lambda v: v - map_(v)",
        "lambda v: map_(v)",
        f"{PARALLEL}_derivatives_are_those_of_the_scan",
    ),
    Fault(
        "newton-stretches-alone",
        "machinery/linear_recurrence.py",
        "states_before(jnp.zeros_like(ends[0]), ends), maps)",
        "jnp.zeros_like(ends), maps)",
        f"{RECURRENCE}_each_time_follows_from_the_one_before",
    ),
    Fault(
        "newton-overflow-known",
        "machinery/parallel_iteration.py",
        "sure = kept & (plain",
        "sure = (plain",
        f"{PARALLEL}_states_that_overflow_are_not_known",
    ),
    Fault(
        "newton-unit-of-the-lost",
        "machinery/parallel_iteration.py",
        "unit = units(start, first_of(states, counts[1]), tolerance)",
        "unit = units(start, states, tolerance)",
        f"{PARALLEL}_states_far_off_do_not_hide_errors_before_them",
    ),
]
MEASURE = [*JACOBIANS, *OF_LOSSES, *OF_THE_DOOR, *OF_MATRICES, *OF_ALL_STATES_AT_ONCE]
