"""Faults in reports and their command."""

from .fault import Fault

PAGE, BROWSER = "reports/test_page.py", "reports/test_browser.py"
OPENS = f"{BROWSER}::test_a_page_opens_without_a_complaint"
ESCAPED = 'html.escape(printable(text, keep=""), quote=True)'
COLOURS = f"{PAGE}::test_figures_take_the_colours_of_the_page"

REPORTS = [
    Fault(
        "report-two-exponents",
        "reports/sentences.py",
        "    if evidence.exponent is not None:\n        error",
        "    if False:\n        error",
        f"{PAGE}::test_the_title_and_the_table_give_the_same_exponent",
    ),
    Fault(
        "report-no-fault-without-a-horizon",
        "reports/page.py",
        'return "No fault found" if lag is None else',
        'return "No fault found" if True else',
        f"{PAGE}::test_without_a_horizon_the_reach_is_the_title",
    ),
    Fault(
        "report-quotes-unescaped",
        "reports/markup.py",
        ESCAPED,
        'html.escape(printable(text, keep=""), quote=False)',
        f"{PAGE}::test_a_text_becomes_markup_only_escaped",
    ),
    Fault(
        "report-control-characters",
        "reports/markup.py",
        ESCAPED,
        "html.escape(str(text), quote=True)",
        f"{PAGE}::test_hostile_names_stay_text",
    ),
    Fault("report-unescaped", "reports/markup.py", ESCAPED, 'printable(text, keep="")', OPENS),
    Fault("report-colour-missing-in-the-dark", "reports/page.css", "    --sky: #7cc7ee;\n", "", COLOURS),
    Fault("report-colour-without-variable", "reports/inline_svg.py", '    "#d55e00": "orange",\n', "", COLOURS),
    Fault(
        "report-ids-shared",
        "reports/inline_svg.py",
        'return f"{name}-{value}"',
        "return value",
        f"{PAGE}::test_ids_are_unique_and_every_reference_is_found",
    ),
    Fault(
        "report-half-a-file",
        "reports/files.py",
        "    handle, name = tempfile",
        "    path.write_bytes(content)\n    handle, name = tempfile",
        f"{PAGE}::test_a_file_appears_complete_or_not_at_all",
    ),
    Fault(
        "report-unverified-unsaid",
        "reports/tables.py",
        'return network.verification is not None and network.verification.how == "none"',
        "return False",
        f"{PAGE}::test_what_was_not_verified_is_said_before_all_else",
    ),
    Fault(
        "report-without-policy",
        "reports/page.py",
        'http_equiv="Content-Security-Policy"',
        'http_equiv="x-none"',
        f"{BROWSER}::test_a_script_on_the_page_would_be_heard_and_not_run",
    ),
    Fault("report-fetches", "reports/page.py", 'href="data:,"', 'href="https://example.org/a.png"', OPENS),
    Fault("report-wider-than-a-phone", "reports/page.css", "table { width: 100%;", "table { width: 900px;", OPENS),
    Fault("report-dark-left-out", "reports/page.css", "@media (prefers-color-scheme: dark)", "@media none", OPENS),
    Fault(
        "report-reach-one-too-far",
        "reports/sentences.py",
        "int(np.asarray(evidence.lag)[int(first)])",
        "int(np.asarray(evidence.lag)[int(first)]) + 1",
        f"{PAGE}::test_sentences_of_known_curves",
    ),
    Fault(
        "report-mathematics-in-names",
        "reports/panels.py",
        r'.replace("$", r"\$")',
        "",
        f"{PAGE}::test_json_is_valid_and_equal_to_the_evidence",
    ),
    Fault(
        "report-limits-apart",
        "reports/figures.py",
        'getattr(axes, f"set_{axis}lim")(limits[:, 0].min(), limits[:, 1].max())',
        "pass",
        f"{PAGE}::test_two_networks_are_drawn_with_the_same_limits",
    ),
    Fault(
        "report-singular-values-for-eigenvalues",
        "reports/measured.py",
        "_eigenvalues(J[at, at])",
        "_eigenvalues(J[at, at].T @ J[at, at])",
        "reports/test_report.py::test_eigenvalues_and_exponents_of_a_known_map",
    ),
    Fault(
        "report-first-network-twice",
        "reports/report.py",
        "given.append(_second(against, xs))",
        "given.append(given[0])",
        "reports/test_report.py::test_an_import_is_the_second_network_and_takes_the_same_inputs",
    ),
    Fault(
        "report-allocates-what-a-header-claims",
        "report_command.py",
        'mmap_mode="r", ',
        "",
        "reports/test_command.py::test_what_a_header_claims_is_not_allocated",
    ),
]
