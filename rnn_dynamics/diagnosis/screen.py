"""A diagnosis on one screen: the verdict, the numbers behind it, the findings, and what to change."""

import textwrap
from typing import Any

import numpy as np

from .clipping import degrees
from .evidence import (
    Evidence,
    directions_at,
    effective_number,
    judged_lag,
    last_steps,
    median_log_norm,
    reach,
    slope,
)
from .words import bytes_in_words, count, power_of_e, share, sized, span_of_lags, with_error

WIDTH, LINES, LABEL = 100, 40, 22
MOST_SHOWN = 5
Row = tuple[str, str]


def summary(diagnosis: Any) -> str:
    """Return a diagnosis as text of at most 40 lines of 100 characters."""
    head = textwrap.wrap(verdict(diagnosis), WIDTH)
    numbers = [line for row in rows_of(diagnosis.evidence) for line in _row(*row)]
    findings = [line for f in diagnosis.findings for line in _item(f"{f.severity}, {f.rule}: {f.sentence}", 3)]
    remedies: list[str] = []
    # how many lines for the first remedy, those that help, and those that do not
    for first, helping, others in ((5, 3, 2), (5, 2, 2), (5, 2, 1), (2, 2, 1)):
        limits = [helping if r.helps else others for r in diagnosis.remedies]
        limits[:1] = [first] * bool(limits)
        each = zip(diagnosis.remedies, limits, strict=True)
        remedies = [line for r, limit in each for line in _item(remedy_line(r), limit)]
        if len(head + numbers + findings + remedies) + 2 <= LINES:
            break
    lines, room = head + numbers, LINES - len(head) - len(numbers)
    # where there is no room for all, half of it is for what to change
    most = max(room - len(remedies) - 1, room // 2)
    for title, body, limit in (("Findings", findings, most), ("What to change", remedies, room)):
        if body:
            lines += [title, *_shortened(body, min(limit, LINES - len(lines)) - 1)]
    return "\n".join(lines[:LINES])


def verdict(diagnosis: Any) -> str:
    """Say in one or two sentences what is wrong, and what to change first."""
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for word in ("problem", "warning")
        if (count := sum(finding.severity == word for finding in diagnosis.findings))
    ]
    if not counts:
        return healthy(diagnosis.evidence)
    names = "; ".join(finding.rule for finding in diagnosis.findings[:MOST_SHOWN])
    helping = [remedy for remedy in diagnosis.remedies if remedy.helps]
    first = f" Change first: {helping[0].change}." if helping else ""
    if diagnosis.remedies and not helping:
        tried = len(diagnosis.remedies)
        first = (
            f" None of the {tried} changes that were tried helps."
            if tried > 1
            else " The change that was tried does not help."
        )
    return f"{', '.join(counts)}: {names}.{first}"


def healthy(evidence: Evidence) -> str:
    """Say that no rule fires; without a horizon, that none could judge how far the gradient reaches."""
    index = judged_lag(evidence)
    if not index or evidence.log_norm is None:
        return "Healthy: no rule fires."
    lag = float(reach(median_log_norm(evidence)))
    if evidence.horizon is None and np.isfinite(lag):
        return (
            f"The gradient falls to 1 % within {count(lag, 'step')}, and no other rule fires. Whether that is far "
            "enough depends on the task: give its horizon, in steps."
        )
    return (
        f"Healthy: no rule fires. At lag {index} the gradient is {power_of_e(float(median_log_norm(evidence)[index]))}."
    )


def remedy_line(remedy: Any) -> str:
    """Return what a remedy changes and what came of it."""
    sentence = remedy.sentence if remedy.sentence.startswith(remedy.change) else f"{remedy.change}: {remedy.sentence}"
    return sentence if remedy.helps else f"(does not help) {sentence}"


def rows_of(evidence: Evidence) -> list[Row]:
    """Return the numbers of the evidence, each with its name."""
    task = "" if evidence.horizon is None else f"; the task needs {count(evidence.horizon, 'step')}"
    of = f"{count(evidence.sequences, 'sequence')} of {count(evidence.steps, 'step')}"
    rows = [("measured", f"{count(evidence.state_size, 'number')} of state, {of}{task}")]
    index = judged_lag(evidence)
    if index:
        rows += _gradient_rows(evidence, index)
    if evidence.exponent is not None:
        of = "" if evidence.exponents is None else f" of {len(evidence.exponents)} measured"
        text = f"{with_error(evidence.exponent, evidence.exponent_stderr or 0.0)} nats per step; "
        rows.append(("largest exponent", f"{text}above 0: {evidence.exploding}{of}"))
    if evidence.gates:
        text = "; ".join(
            f"{name} {gate.mean:.2f} ({share(gate.shut)} shut, {share(gate.open)} open)"
            for name, gate in list(evidence.gates.items())[: 2 * MOST_SHOWN]
        )
        rows.append(("gates", text))
    parts = [("saturated", evidence.saturated), ("dead", evidence.dead)]
    text = "; ".join(
        f"{word} {', '.join(f'{name} {share(value)}' for name, value in list(part.items())[:MOST_SHOWN])}"
        for word, part in parts
        if part
    )
    return [*rows, *([("units", text)] if text else []), *_loss_rows(evidence), *_cost_rows(evidence)]


def _gradient_rows(evidence: Evidence, index: int) -> list[Row]:
    norms = np.asarray(evidence.log_norm)
    lags, typical = reach(norms), float(reach(median_log_norm(evidence)))
    never = f"never, in {count(norms.shape[1] - 1, 'step')}"
    rows = [("falls to 1 % within", never if np.isinf(typical) else span_of_lags(lags, typical))]
    remains = f"{power_of_e(float(np.median(norms[:, index])))} at best"
    if evidence.log_rms is not None:
        remains += f", {power_of_e(float(np.median(np.asarray(evidence.log_rms)[:, index])))} for a random direction"
    fitted = slope(norms[:, : index + 1])
    rows.append((f"gradient at lag {index}", remains + (f"; {with_error(*fitted)} nats per step" if fitted else "")))
    rows += _spread(evidence, index)
    if evidence.paths:
        at = {name: float(np.median(np.asarray(curve)[:, index])) for name, curve in evidence.paths.items()}
        best = sorted((item for item in at.items() if item[1] > -np.inf), key=lambda item: -item[1])[:MOST_SHOWN]
        if best:
            rows.append(("carried by", "; ".join(f"{name} {power_of_e(value)}" for name, value in best)))
    usual = []
    if evidence.eigenvalue_rate is not None:
        usual.append(f"ρ^{index} = {power_of_e(index * evidence.eigenvalue_rate)}")
    if evidence.log_bound is not None:
        usual.append(f"bound {power_of_e(float(np.median(np.asarray(evidence.log_bound)[:, index])))}")
    return [*rows, *([("rules of thumb", "; ".join(usual))] if usual else [])]


def _spread(evidence: Evidence, index: int) -> list[Row]:
    n, directions = evidence.state_size, directions_at(evidence, index)
    texts = [] if directions is None else [f"{directions:.3g} of {n} directions survive"]
    if evidence.unit_shares is not None and np.sum(evidence.unit_shares) > 0:
        texts.append(f"over {effective_number(evidence.unit_shares):.3g} of {n} numbers of the state")
    return [("spread", ", ".join(texts))] if texts and n > 1 else []


def _loss_rows(evidence: Evidence) -> list[Row]:
    logs = evidence.log_state_gradients
    if logs is None or not np.isfinite(np.max(logs)):
        return []
    return [("gradient of the loss", f"99 % lies on the last {span_of_lags(last_steps(logs))} of {evidence.steps}")]


def _cost_rows(evidence: Evidence) -> list[Row]:
    rows: list[Row] = []
    clipping, truncation, memory = evidence.clipping, evidence.truncation, evidence.memory
    if clipping is not None and np.nanmax(clipping.norms, initial=0.0) > 0:
        text = f"median {sized(clipping.percentiles[50])}, largest {sized(float(np.nanmax(clipping.norms)))}"
        if clipping.clipped > 0:
            text += f"; clipping at {sized(clipping.limit)} shortens {share(clipping.clipped)}"
            text += f" and turns the mean by {degrees(clipping.cosine)}"
        rows.append(("gradient norms", text))
    if truncation is not None and truncation.shortest is not None:
        windows = f"windows of {truncation.shortest} of {truncation.steps} steps keep"
        if truncation.shortest >= truncation.steps:
            windows = f"only all {truncation.steps} steps keep"
        short = too_short_a_window(evidence)
        text = f"{windows} {share(1 - truncation.tolerance)} of the parameter gradient"
        rows.append(("truncation", f"{text}; {short}" if short else text))
    if memory is not None:
        text = f"{bytes_in_words(memory.bytes)} for a backward pass of these sequences"
        stretch = count(memory.keep_every, "step")
        if memory.rematerialised <= 0.8 * memory.bytes:
            text += f"; {bytes_in_words(memory.rematerialised)} with stretches of {stretch} recomputed"
        rows.append(("memory", text))
    return rows


def too_short_a_window(evidence: Evidence) -> str:
    """Say that a window which keeps the gradient as it is may still be shorter than the horizon; "" if it is not."""
    truncation, horizon = evidence.truncation, evidence.horizon
    if truncation is None or horizon is None or truncation.shortest is None:
        return ""
    reaches = truncation.shortest >= min(horizon, truncation.steps)
    return "" if reaches else f"but the task needs {count(horizon, 'step')}, so keep at least as many"


def _row(label: str, text: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH - LABEL - 2, max_lines=3, placeholder=" …") or [""]
    return [f"  {label if number == 0 else '':<{LABEL}}{line}" for number, line in enumerate(lines)]


def _item(text: str, most: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  - ", subsequent_indent="    ", max_lines=most, placeholder=" …")


def _shortened(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[: max(most - 1, 0)], "  …"]
