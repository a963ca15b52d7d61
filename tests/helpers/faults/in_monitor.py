"""Faults in what `rd.watch` measures, remembers and tells."""

from .fault import Fault

ESTIMATE, MEASURED, WATCHER = "monitor/estimate.py", "monitor/measured.py", "monitor/watcher.py"
RECORD, LABELLED, SINKS, MODELS = "monitor/record.py", "monitor/labelled.py", "monitor/sinks.py", "monitor/models.py"
TESTS = "monitor/test_watch.py::test_"
LINEAR, FEW_ROWS = f"{TESTS}the_gradient_of_a_linear_net", f"{TESTS}of_many_units_a_few_rows_show_the_norms"
LINEAR += "_falls_with_its_known_slope"

MONITOR = [
    Fault("watch-curve-in-order-of-time", ESTIMATE, "curve[:, ::-1]", "curve", LINEAR),
    Fault("watch-scale-lost", ESTIMATE, "exponent + shift\n", "shift\n", LINEAR),
    Fault("watch-squared-norm", ESTIMATE, "scale + np.log(norm) / 2", "scale + np.log(norm)", LINEAR),
    Fault("watch-lag-0-shifted", ESTIMATE, "(0.0, math.log(n) / 2, 0.0)", "(0.0, 0.0, 0.0)", LINEAR),
    Fault("watch-vector-never-turns", ESTIMATE, "raw.growth.shape[1] // 4 :", "0:", LINEAR),
    Fault("watch-rows-not-pushed", ESTIMATE, "jnp.linalg.qr(rows[1:].T)", "jnp.linalg.qr(fresh[1:].T)", FEW_ROWS),
    Fault("watch-rest-counted-twice", ESTIMATE, "drawn - (drawn @ rows.T) @ rows", "drawn", FEW_ROWS),
    Fault(
        "watch-first-lags", ESTIMATE, "leaf[len(growth) - lags :]", "leaf[:lags]", f"{TESTS}the_last_lags_are_measured"
    ),
    Fault("watch-rms-not-divided", MEASURED, " - np.log(n) / 2", "", LINEAR),
    Fault(
        "watch-measures-nan",
        MEASURED,
        "    if bad:\n",
        "    if False:\n",
        f"{TESTS}weights_that_are_not_finite_are_a_finding_and_end_nothing",
    ),
    Fault(
        "watch-warns-each-time",
        WATCHER,
        "if finding.rule not in self._firing)",
        ")",
        f"{TESTS}a_rule_warns_once_until_it_clears",
    ),
    Fault(
        "watch-never-warns-again",
        WATCHER,
        "firing if evidence.log_norm is not None else ",
        "",
        f"{TESTS}a_rule_warns_once_until_it_clears",
    ),
    Fault(
        "watch-error-ends-training",
        WATCHER,
        "            if not self.source:\n",
        "            if True:\n",
        f"{TESTS}an_error_in_a_later_call_is_a_failure_that_is_warned_of_once",
    ),
    Fault(
        "watch-first-error-passes",
        WATCHER,
        "            if not self.source:\n",
        "            if False:\n",
        f"{TESTS}an_error_in_a_later_call_is_a_failure_that_is_warned_of_once",
    ),
    Fault(
        "watch-same-failure-again",
        WATCHER,
        "        self._reported |= set(failures)\n",
        "",
        f"{TESTS}an_error_in_a_later_call_is_a_failure_that_is_warned_of_once",
    ),
    Fault(
        "watch-old-steps-stay", WATCHER, 'if row["step"] < step]', "]", f"{TESTS}steps_that_are_made_again_are_replaced"
    ),
    Fault(
        "watch-history-twice",
        LABELLED,
        "history.step < int(later.step[0])",
        "history.step >= 0",
        f"{TESTS}a_later_process_continues_the_dataset",
    ),
    Fault(
        "watch-norms-not-forgotten",
        RECORD,
        "        self._passed.clear()\n",
        "",
        f"{TESTS}norms_are_summarised_over_all_updates_since_the_last_record",
    ),
    Fault(
        "watch-clipped-when-not",
        RECORD,
        "clipped[both] < norm[both] * (1 - 1e-5)",
        "clipped[both] <= norm[both]",
        f"{TESTS}norms_are_summarised_over_all_updates_since_the_last_record",
    ),
    Fault(
        "watch-verifies-each-time",
        MODELS,
        "nullcontext() if verify else without_verification()",
        "nullcontext()",
        "monitor/test_models.py::test_an_equinox_model_is_verified_once_then_only_read",
    ),
    Fault(
        "watch-never-verifies",
        MODELS,
        "nullcontext() if verify else without_verification()",
        "without_verification()",
        "monitor/test_models.py::test_an_equinox_model_is_verified_once_then_only_read",
    ),
    Fault(
        "watch-draws-nan",
        SINKS,
        "if math.isfinite(value)}",
        "}",
        "monitor/test_sinks.py::test_a_run_gets_the_numbers_of_each_record",
    ),
    Fault(
        "watch-sink-ends-training",
        WATCHER,
        '                failures.append(f"',
        '                raise RuntimeError(f"',
        "monitor/test_sinks.py::test_a_sink_that_fails_is_warned_of_once_and_ends_nothing",
    ),
]
