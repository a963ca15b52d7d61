"""The report as one HTML page that needs nothing else: no network, no script, no font."""

from collections.abc import Sequence
from pathlib import Path

from ..diagnosis.result import Diagnosis
from . import figures, rest_in_words, sentences, tables
from .inline_svg import inline_svg
from .markup import Markup, element, joined
from .network import Network
from .words import count

STYLE = Path(__file__).with_name("page.css")
# nothing may be loaded or run, not even if a text were to slip through unescaped
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
LONGEST_TITLE = 140


def page(networks: Sequence[Network], version: str) -> str:
    """Return the page of one network, or of two side by side."""
    title = " and ".join(network.name for network in networks)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", f"Gradient report: {title}"),
        element("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    several = len(networks) > 1
    numbers = element("section", element("h2", "All numbers"), tables.measurements(networks), id="numbers")
    shown = [_remedies(networks), _figures(networks), _points(networks), _training(networks)]
    # of two networks, their numbers side by side are the first question; of one, the last
    parts = [_opening(networks), _diagnosis(networks), *([numbers, *shown] if several else [*shown, numbers])]
    foot = element("footer", f"rnn_dynamics {version}. Logarithms are natural, exponents in nats per step.")
    body = element("body", element("main", *(part for part in parts if part)), foot)
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def verdict(network: Network) -> str:
    """Return the worst finding of a network."""
    return verdict_of(network.diagnosis)


def verdict_of(diagnosis: Diagnosis) -> str:
    """Return the worst finding in a sentence short enough for a title, or that there is none.

    Without a horizon no rule judges how far the gradient reaches, so that its reach itself is the title.
    """
    evidence = diagnosis.evidence
    if not diagnosis.findings:
        lag = None if evidence.log_norm is None or evidence.horizon is not None else sentences.reach(evidence)
        return "No fault found" if lag is None else f"The gradient falls to 1 % within {count(lag, 'step')}"
    worst = diagnosis.findings[0]
    sentence = worst.sentence.strip().partition(". ")[0].rstrip(".")
    return sentence if len(sentence) <= LONGEST_TITLE else worst.rule[:1].upper() + worst.rule[1:]


UNSEEN = (
    " was imported from arrays alone and never compared with the original: a wrong gate order or a transposed matrix "
    "would go unseen. Every number below may be that of another network."
)


def _opening(networks: Sequence[Network]) -> Markup:
    several = len(networks) > 1
    warning = [
        element(
            "p",
            element("strong", "Not verified. "),
            each.name if several else "This network",
            UNSEEN,
            class_="banner",
            role="note",
        )
        for each in networks
        if tables.is_unverified(each)
    ]
    title = verdict(networks[0]) if len(networks) == 1 else " and ".join(network.name for network in networks)
    kicker = "Gradient report" if len(networks) == 1 else "Gradient report: two networks compared"
    return element(
        "header",
        element("p", kicker, class_="kicker"),
        element("h1", title),
        *warning,
        tables.together(networks, lambda network: joined([*_verdict(network, networks), tables.read(network)])),
    )


def _verdict(network: Network, networks: Sequence[Network]) -> list[Markup]:
    """Return the verdict of one of two networks; of one alone, it is the title."""
    return [element("p", verdict(network), class_="sentence")] if len(networks) > 1 else []


def _diagnosis(networks: Sequence[Network]) -> Markup:
    heading = _counts(networks[0]) if len(networks) == 1 else "What is wrong where"
    return element(
        "section",
        element("h2", heading),
        tables.together(networks, lambda network: tables.findings(network.diagnosis)),
        id="diagnosis",
    )


def _counts(network: Network) -> str:
    """Return the heading of the findings: how many of each kind there are."""
    kinds = [finding.severity for finding in network.diagnosis.findings]
    said = [count(kinds.count(kind), kind) for kind in dict.fromkeys(kinds)]
    return ", ".join(said) if said else "Diagnosis"


def _remedies(networks: Sequence[Network]) -> Markup:
    if not any(network.diagnosis.remedies for network in networks):
        return Markup("")
    return element(
        "section",
        element("h2", "What to change"),
        element(
            "p",
            "Each change was applied to a copy of the network and measured again: before → after. Gradients are "
            "medians over a few windows as long as the horizon. The effect of an input is how far a step with it "
            "ends from one without it.",
            class_="lead",
        ),
        tables.together(networks, lambda network: tables.remedies(network.diagnosis.remedies), class_="stacked"),
        id="remedies",
    )


def _points(networks: Sequence[Network]) -> Markup:
    """Return the section of fixed points as a table, or why they were not looked for."""
    if all(network.rest is None for network in networks):
        return Markup("")
    lead = (
        "Fixed points and slow points near the states visited: the size of the largest eigenvalue there, the steps in "
        "which the slowest shrinking disturbance falls to 1/e, the steps in which one along the first eigenvector "
        "turns once, and the share of the searches that ended there."
    )
    parts = tables.together(networks, rest_in_words.points_table, class_="stacked")
    return element("section", element("h2", "Where it rests"), element("p", lead, class_="lead"), parts, id="rest")


def _training(networks: Sequence[Network]) -> Markup:
    if not any(tables.has_training(network) for network in networks):
        return Markup("")
    parts = tables.together(networks, tables.training)
    return element("section", element("h2", "When you train it"), parts, id="training")


def _figures(networks: Sequence[Network]) -> Markup:
    shown = figures.possible(networks)
    if not shown:
        return Markup("")
    several = len(networks) > 1
    parts = [_compared(each, networks) if several else _figure(each, networks[0]) for each in shown]
    return element(
        "section",
        element("h2", "What was measured"),
        element("div", joined(parts), class_="comparisons" if several else "figures"),
        id="figures",
    )


def _figure(drawing: figures.Drawing, network: Network) -> Markup:
    (canvas,) = figures.each_drawn(drawing, [network])
    sentence = drawing.sentence(network)
    return element(
        "figure",
        element("p", drawing.topic, class_="kicker"),
        element("h3", sentence),
        inline_svg(canvas, drawing.name, sentence),
        element("figcaption", drawing.caption(network)),
    )


def _compared(drawing: figures.Drawing, networks: Sequence[Network]) -> Markup:
    """Return a figure of each network side by side, drawn with the same limits."""
    columns = []
    captions = [drawing.caption(network) for network in networks if drawing.possible(network)]
    same = len({*captions}) == 1
    for place, (network, canvas) in enumerate(zip(networks, figures.each_drawn(drawing, networks), strict=True)):
        if not drawing.possible(network):
            columns.append(element("div", element("p", f"Not measured for {network.name}.", class_="lead")))
            continue
        sentence = drawing.sentence(network)
        columns.append(
            element(
                "figure",
                element("p", network.name, class_="name"),
                element("h4", sentence),
                inline_svg(canvas, f"{drawing.name}-{place}", sentence),
                *([] if same else [element("figcaption", drawing.caption(network))]),
            )
        )
    shared = [element("p", captions[0], class_="caption")] if same else []
    pair = element("div", joined(columns), class_="pair")
    return element("div", element("h3", drawing.topic), pair, *shared, class_="comparison")
