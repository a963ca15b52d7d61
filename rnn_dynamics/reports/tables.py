"""The parts of a page in words and numbers: findings, remedies, and what was measured."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..diagnosis.result import Diagnosis, Finding, Remedy
from ..diagnosis.screen import too_short_a_window
from . import rest_in_words, sentences
from .markup import Markup, element, joined
from .network import Network
from .words import count, number, percent, size, with_error


class Row(NamedTuple):
    """A line of the table of measurements: what it is, and its value for each network, "" where there is none."""

    name: str
    values: tuple[str, ...]


NO_HORIZON = (
    "No rule found a fault. None of them judged how far the gradient reaches, since that depends on the task: give the "
    "horizon, the number of steps back that it needs."
)


def findings(diagnosis: Diagnosis) -> Markup:
    """Return the rules that fired as a list, or a sentence if none did."""
    found = diagnosis.findings
    if not found:
        known = diagnosis.evidence.horizon is not None
        return element("p", "No rule found a fault." if known else NO_HORIZON, class_="healthy")
    return element("ul", *(_finding(each) for each in found), class_="findings")


def _finding(finding: Finding) -> Markup:
    compared = [f"{name.replace('_', ' ')} {number(value)}{_unit(name)}" for name, value in finding.numbers.items()]
    return element(
        "li",
        element("span", finding.severity, class_="severity"),
        element("p", finding.sentence, class_="sentence"),
        *([element("p", f"Doubtful: {finding.doubt}.", class_="doubt")] if finding.doubt else []),
        element("p", f"{finding.rule}: {', '.join(compared)}; threshold {number(finding.threshold)}", class_="rule"),
        class_=f"finding {'problem' if finding.severity == 'problem' else 'warning'}",
    )


def _unit(name: str) -> str:
    return " nats" if name.startswith("log_") else ""


MEASURES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("log_gradient", "Gradient at the horizon", size),
    ("exploding", "Directions that grow e-fold", number),
    ("saturated", "Saturated", percent),
    ("log_input", "Effect of an input", lambda log: number(math.exp(log))),
)


def remedies(tried: Sequence[Remedy]) -> Markup:
    """Return the changes that were measured as a table: what each gained, and what it cost."""
    if not tried:
        return element("p", "No change was tried.", class_="lead")
    measures = [each for each in MEASURES if any(each[0] in remedy.before for remedy in tried)]
    heads = ("Change", *(title for _, title, _ in measures))
    head = element("thead", element("tr", *(element("th", title, scope="col") for title in heads)))
    body = element("tbody", *(_remedy(each, measures) for each in tried))
    return element("table", head, body, class_="remedies")


def _remedy(remedy: Remedy, measures: Sequence[tuple[str, str, Callable[[float], str]]]) -> Markup:
    verdict = element("span", "helps" if remedy.helps else "does not help", class_="verdict")
    change = element(
        "th", element("span", remedy.change, class_="change"), " ", verdict, element("p", _remark(remedy)), scope="row"
    )
    cells = (_before_and_after(remedy, name, title, shown) for name, title, shown in measures)
    return element("tr", change, *cells, class_="helps" if remedy.helps else "fails")


def _remark(remedy: Remedy) -> str:
    """Return what the sentence of a remedy says beyond the change and the numbers, which the table has already."""
    rest = remedy.sentence.removeprefix(f"{remedy.change}: ")
    return rest if rest == remedy.sentence else rest.partition(". ")[2]


def _before_and_after(remedy: Remedy, name: str, title: str, shown: Callable[[float], str]) -> Markup:
    """Return the cell of one measure, such as "0.06 % → 74 %"."""
    pair = [remedy.before.get(name), remedy.after.get(name)]
    before, after = ("–" if value is None else shown(float(value)) for value in pair)
    return element("td", before, element("span", " → ", class_="arrow"), element("b", after), data_label=title)


def read(network: Network) -> Markup:
    """Return what was read, and whether it was verified."""
    badge = "unverified" if is_unverified(network) else "verified"
    evidence = network.diagnosis.evidence
    horizon = f"; horizon {count(evidence.horizon, 'step')}" if evidence.horizon is not None else ""
    measured = (
        f"{count(evidence.sequences, 'sequence')} of {count(evidence.steps, 'step')}; "
        f"a state of {count(evidence.state_size, 'number')}{horizon}"
    )
    return element(
        "dl",
        *_entry("Network", network.source),
        *_entry("Verification", element("span", in_words(network), class_=badge)),
        *_entry("Measured on", measured),
        class_="read",
    )


def _entry(name: str, value: object) -> tuple[Markup, Markup]:
    return element("dt", name), element("dd", value)


def is_unverified(network: Network) -> bool:
    """Return whether the network was imported without a comparison with the original."""
    return network.verification is not None and network.verification.how == "none"


def in_words(network: Network) -> str:
    """Say how far the import can be trusted."""
    if network.verification is None:
        return "Nothing to verify: the step function itself was measured"
    said = str(network.verification)
    return said[:1].upper() + said[1:]


# the questions of training that a diagnosis answers, by the field of its evidence
TRAINING = {"clipping": "Clipping", "truncation": "Truncated backpropagation", "memory": "Memory of a backward pass"}


def has_training(network: Network) -> bool:
    """Return whether one of the questions of training was answered."""
    return any(getattr(network.diagnosis.evidence, field) is not None for field in TRAINING)


def training(network: Network) -> Markup:
    """Return what clipping would do, which truncation is enough, and how much memory a backward pass takes."""
    evidence = network.diagnosis.evidence
    answers = {name: getattr(evidence, field) for field, name in TRAINING.items()}
    said = {name: answer.sentence() for name, answer in answers.items() if answer is not None}
    short = too_short_a_window(evidence)
    if short:
        said[TRAINING["truncation"]] += f" {short[:1].upper()}{short[1:]}."
    parts = (_entry(name, sentence) for name, sentence in said.items())
    return element("dl", *(each for pair in parts for each in pair), class_="training")


def measurements(networks: Sequence[Network]) -> Markup:
    """Return the table of all numbers, one column for each network."""
    columns = ("", *(network.name for network in networks)) if len(networks) > 1 else ()
    head = [element("thead", element("tr", *(element("th", name, scope="col") for name in columns)))] if columns else []
    body = [
        element("tr", element("th", row.name, scope="row"), *(element("td", value or "–") for value in row.values))
        for row in rows(networks)
    ]
    return element("table", *head, element("tbody", *body), class_="measurements")


def rows(networks: Sequence[Network]) -> list[Row]:
    """Return the lines of the table of measurements, without those that no network has."""
    of_each = [dict(_numbers(network)) for network in networks]
    names = list(dict.fromkeys(name for held in of_each for name in held))
    return [Row(name, tuple(held.get(name, "") for held in of_each)) for name in names]


def _numbers(network: Network) -> list[tuple[str, str]]:
    """Return the numbers of a network by name, in the order in which they are asked for."""
    evidence = network.diagnosis.evidence
    found = [("Numbers in the state", number(evidence.state_size))]
    if evidence.log_norm is not None:
        found += _of_flow(evidence)
    if evidence.exponent is not None:
        exponent = with_error(evidence.exponent, evidence.exponent_stderr, sign=True)
        doubt = (evidence.doubts or {}).get("exponent")
        of = "" if evidence.sequences == 1 else f", mean of {evidence.sequences} sequences"
        found.append((f"λ₁{of} (nats per step)", f"{exponent} (doubtful: {doubt})" if doubt else exponent))
    if evidence.exploding is not None:
        found.append((_exponents_above_0(evidence), number(evidence.exploding)))
    found += rest_in_words.numbers(network)
    found += [(f"ρ of {name}", number(value)) for name, value in (evidence.spectral_radii or {}).items()]
    for name, gate in (evidence.gates or {}).items():
        found.append((f"{name} gate: mean; shut; open", "; ".join(map(percent, (gate.mean, gate.shut, gate.open)))))
    found += [(f"{name}: saturated", percent(share)) for name, share in (evidence.saturated or {}).items()]
    found += [(f"{name}: units that never change", percent(share)) for name, share in (evidence.dead or {}).items()]
    if evidence.first_non_finite:
        found.append(("First value that is not finite", evidence.first_non_finite))
    return found


def _exponents_above_0(evidence: Any) -> str:
    of = "" if evidence.exponents is None else f", of {len(evidence.exponents)} measured"
    return f"Exponents above 0{of}"


def _of_flow(evidence: Any) -> list[tuple[str, str]]:
    """Return how far the gradient reaches, and what is left of it at the horizon."""
    lag = sentences.reach(evidence)
    found = [("Gradient falls to 1 % in", "not within the sequence" if lag is None else count(lag, "step"))]
    if evidence.horizon is not None:
        where = min(evidence.horizon, int(np.asarray(evidence.lag)[-1]))
        found.append((f"Gradient left after {count(where, 'step')}", size(sentences.at_lag(evidence, where))))
    return found


def together(networks: Sequence[Network], part: Callable[[Network], Markup], *, class_: str = "columns") -> Markup:
    """Return a part of each network side by side, under its name if there are several."""
    if len(networks) == 1:
        return part(networks[0])
    columns = (
        element("div", element("h3", each.name, class_="name"), part(each), class_="column") for each in networks
    )
    return element("div", joined(columns), class_=class_)
