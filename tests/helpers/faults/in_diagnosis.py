"""Faults in what a diagnosis measures, in its rules, and in what it prints."""

from .fault import Fault

EVIDENCE, CHECKS = "diagnosis/evidence.py", "diagnosis/checks.py"
PATHS, FLOWS, GATES = "diagnosis/paths.py", "diagnosis/flows.py", "diagnosis/gate_values.py"
RULES_TEST = "diagnosis/test_rules.py::test_the_rule_of_a_fault_fires_and_no_other"
HEALTHY_TEST = "diagnosis/test_rules.py::test_a_healthy_net_gets_no_finding"
EVIDENCE_TEST, RESULT_TEST = "diagnosis/test_evidence.py", "diagnosis/test_result.py"

DIAGNOSIS = [
    Fault(
        "diagnosis-few-steps-are-a-shut-gate",
        CHECKS,
        "written < SHUT and written * steps < 1",
        "written * steps < 1",
        "diagnosis/test_rules.py::test_a_gate_that_is_half_open_is_not_shut_because_there_are_few_steps",
    ),
    Fault(
        "diagnosis-never-steps",
        CHECKS,
        "float(reach(median_log_norm(evidence)[: index + 1], math.log(threshold)))",
        "float(np.median(lags))",
        "diagnosis/test_rules.py::test_two_sequences_of_which_one_keeps_its_gradient",
    ),
    Fault(
        "diagnosis-healthy-without-a-horizon",
        "diagnosis/screen.py",
        "if evidence.horizon is None and np.isfinite(lag):",
        "if False:",
        f"{RESULT_TEST}::test_without_a_horizon_a_net_is_not_called_healthy",
    ),
    Fault(
        "diagnosis-first-crossing",
        EVIDENCE,
        "    last = curves.shape[-1] - 1 - np.argmax(above[..., ::-1], axis=-1)\n",
        "    last = np.argmin(above, axis=-1) - 1\n",
        f"{EVIDENCE_TEST}::test_a_curve_that_rises_again_has_not_fallen",
    ),
    Fault(
        "diagnosis-reach-one-off",
        EVIDENCE,
        "last + 1, 0).astype(float)",
        "last, 0).astype(float)",
        f"{EVIDENCE_TEST}::test_the_reach_of_a_power_is_exact",
    ),
    Fault(
        "diagnosis-slope-without-error",
        EVIDENCE,
        "rates.std(ddof=1) / math.sqrt(rates.size)",
        "rates.std(ddof=1) / rates.size",
        f"{EVIDENCE_TEST}::test_the_error_of_a_slope_covers_noise",
    ),
    Fault(
        "diagnosis-first-steps-of-the-loss",
        EVIDENCE,
        "np.where(np.isfinite(peak), peak, 0))[:, ::-1]",
        "np.where(np.isfinite(peak), peak, 0))",
        f"{EVIDENCE_TEST}::test_last_steps_of_a_power",
    ),
    Fault(
        "diagnosis-rms-not-divided",
        FLOWS,
        "for flow in curves]) - math.log(n) / 2",
        "for flow in curves])",
        f"{EVIDENCE_TEST}::test_curves_of_a_linear_net_are_powers",
    ),
    Fault(
        "diagnosis-diagonal-of-one-unit",
        FLOWS,
        "axis=0).max(axis=1)",
        "axis=0)[:, 0]",
        f"{EVIDENCE_TEST}::test_curves_of_a_linear_net_are_powers",
    ),
    Fault(
        "diagnosis-paths-not-confined",
        PATHS,
        "pulled[len(rows) :] * own",
        "pulled[len(rows) :]",
        f"{EVIDENCE_TEST}::test_paths_of_a_triangular_net",
    ),
    Fault(
        "diagnosis-paths-turned-round",
        PATHS,
        'curves[f"{earlier} → {later}"]',
        'curves[f"{later} → {earlier}"]',
        f"{EVIDENCE_TEST}::test_paths_of_a_triangular_net",
    ),
    Fault(
        "diagnosis-shares-of-another-lag",
        PATHS,
        "jnp.where(lag == at, jnp.where",
        "jnp.where(lag == 1, jnp.where",
        f"{EVIDENCE_TEST}::test_shares_of_the_units_and_directions",
    ),
    Fault(
        "diagnosis-gates-forward-in-time",
        GATES,
        "np.cumsum(logs[:, ::-1], axis=1)",
        "np.cumsum(logs, axis=1)",
        f"{EVIDENCE_TEST}::test_forget_gates_are_the_path_that_never_leaves_c",
    ),
    Fault(
        "diagnosis-gates-of-any-step",
        GATES,
        "if all(jax.tree.leaves(close)):",
        "if close is not None:",
        f"{EVIDENCE_TEST}::test_gates_of_another_step_are_not_shown",
    ),
    Fault(
        "diagnosis-update-conventions-swapped",
        GATES,
        'KEEPS if update == "keep" else REPLACES',
        'REPLACES if update == "keep" else KEEPS',
        f"{EVIDENCE_TEST}::test_the_convention_of_an_update_gate_is_found",
    ),
    Fault(
        "diagnosis-overflow-measured",
        "diagnosis/collect.py",
        "    finite = end[0] - 1\n",
        "    finite = end[0]\n",
        f"{EVIDENCE_TEST}::test_a_state_that_overflows_ends_the_sequences",
    ),
    Fault(
        "diagnosis-vanishing-at-any-lag",
        CHECKS,
        "    if not remains <= math.log(threshold):\n",
        "    if not remains <= 0.1:\n",
        HEALTHY_TEST,
    ),
    Fault(
        "diagnosis-input-gates-shut-by-share",
        CHECKS,
        'elif gate.role in ("write", "replace") and _never(gate.mean, steps):',
        'elif gate.role in ("write", "replace") and gate.shut > 0.5:',
        HEALTHY_TEST,
    ),
    Fault(
        "diagnosis-eigenvalues-of-gated-nets",
        CHECKS,
        '    if evidence.gates and verdicts[0] == "arrives":\n',
        '    if evidence.gates and verdicts[0] == "never":\n',
        HEALTHY_TEST,
    ),
    Fault(
        "diagnosis-chaos-without-an-error",
        CHECKS,
        "max(threshold * stderr if known and stderr is not None else 0.0, 1 / evidence.steps)",
        "1 / evidence.steps",
        "diagnosis/test_rules.py::test_chaos_needs_two_standard_errors_and_more_than_one_over_T",
    ),
    Fault(
        "diagnosis-no-dead-units",
        CHECKS,
        "(evidence.dead or {}).items() if value > threshold}",
        "(evidence.dead or {}).items() if value > 1}",
        RULES_TEST,
    ),
    Fault(
        "diagnosis-one-direction-is-a-fault",
        CHECKS,
        "    if units >= max(threshold * n, FEWEST_UNITS):\n        return None\n",
        "",
        "diagnosis/test_rules.py::test_a_healthy_net_gets_no_finding",
    ),
    Fault(
        "diagnosis-nan-in-json",
        "diagnosis/as_json.py",
        "            return None\n",
        "            return number\n",
        f"{RESULT_TEST}::test_json_is_strict_and_complete",
    ),
    Fault(
        "diagnosis-html-not-escaped",
        "diagnosis/result.py",
        "html.escape(self.summary())",
        "self.summary()",
        f"{RESULT_TEST}::test_a_notebook_gets_escaped_text",
    ),
    Fault(
        "diagnosis-two-screens",
        "diagnosis/screen.py",
        "_shortened(body, min(limit, LINES - len(lines)) - 1)",
        "body",
        f"{RESULT_TEST}::test_a_summary_fits_on_one_screen_whatever_was_found",
    ),
]
