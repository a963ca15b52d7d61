"""The page and the folder: nothing on them but what was measured, every text escaped, nothing fetched."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib.style
import numpy as np
import pytest
from report_networks import HOSTILE, evidence, network

from rnn_dynamics import plot
from rnn_dynamics.diagnosis.result import Diagnosis
from rnn_dynamics.reports import figures, sentences, tables, words
from rnn_dynamics.reports.files import place_of_file, place_of_folder, write, write_folder
from rnn_dynamics.reports.inline_svg import VARIABLES, inline_svg
from rnn_dynamics.reports.markup import Markup, element, escaped
from rnn_dynamics.reports.page import page, verdict
from rnn_dynamics.reports.plain_data import data
from rnn_dynamics.reports.report import write_report
from rnn_dynamics.reports.tables import rows


class Seen(HTMLParser):
    """The elements and texts of a page, as a browser would see them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = set(), [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open[-1:] != ["style"]:
            self.texts.append(text)

    def handle_comment(self, text):
        raise AssertionError(f"a comment: {text}")


@pytest.fixture(scope="module")
def styled():
    with matplotlib.style.context([plot.STYLE, figures.LOOK]):
        yield


@pytest.fixture(scope="module")
def one(styled):
    return page([network()], "9.9")


@pytest.fixture(scope="module")
def hostile(styled):
    return page([network(verified=False, hostile=HOSTILE), network("other", slope=0.01, hostile=HOSTILE)], "9.9")


def said(text):
    return " ".join(Seen(text).texts).replace("\xa0", " ")


def test_a_text_becomes_markup_only_escaped():
    assert escaped("<b> & \"'") == "&lt;b&gt; &amp; &quot;&#x27;"
    assert escaped("a\x1b[2Jb\u202e\n") == "a\\x1b[2Jb\\u202e\\n"
    assert element("p", "<i>", element("b", "&"), class_='"x"') == '<p class="&quot;x&quot;">&lt;i&gt;<b>&amp;</b></p>'
    assert element("p", title=Markup('"><script>')) == '<p title="&quot;&gt;&lt;script&gt;"></p>'
    assert element("p", data_label="a", id=None) == '<p data-label="a"></p>'


def test_hostile_names_stay_text(hostile, one):
    seen, tame = Seen(hostile), Seen(one)
    assert seen.tags <= tame.tags | {"strong", "th", "h4", "thead"}
    assert seen.tags.isdisjoint({"script", "img", "iframe", "object"})
    assert {name for name, _ in seen.attributes} <= {name for name, _ in tame.attributes}
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert "\x1b" not in hostile
    assert "\u202e" not in hostile
    assert hostile.count("<style>") == 1
    # the name stands where it should, once for each place
    assert said(hostile).count("<script>alert(1)</script>") > 30


def test_the_page_needs_nothing_but_itself(one, hostile):
    for text in (one, hostile):
        addresses = [value for name, value in Seen(text).attributes if name in ("src", "href", "xlink:href", "action")]
        assert all(address.startswith(("#", "data:")) for address in addresses)
        style = text[text.index("<style>") : text.index("</style>")]
        assert "url(" not in style
        assert "@import" not in style
        assert "default-src 'none'" in dict(Seen(text).attributes)["content"] or "default-src &#x27;none&#x27;" in text
        assert re.search(r"https?://", text) is None


def test_ids_are_unique_and_every_reference_is_found(one, hostile):
    for text in (one, hostile):
        attributes = Seen(text).attributes
        ids = [value for name, value in attributes if name == "id"]
        assert len(ids) == len({*ids})
        used = {value[1:] for name, value in attributes if name == "href" and value.startswith("#")}
        used |= {value[5:-1] for name, value in attributes if name == "clip-path"}
        assert used
        assert used <= {*ids}


def test_figures_take_the_colours_of_the_page(one):
    svg = one[one.index("<svg") : one.rindex("</svg>")]
    assert set(re.findall(r"(?:fill|stroke): (?!none)([^;\"]+)", svg)) <= {
        f"var(--{name})" for name in VARIABLES.values()
    }
    style = one[one.index("<style>") : one.index("</style>")]
    light, dark = (re.findall(r"--(\w+):", part) for part in style.split("prefers-color-scheme: dark"))
    assert {*VARIABLES.values()} <= {*light}
    assert {*VARIABLES.values()} <= {*dark}


def test_a_colour_without_a_variable_stays_as_it_is(styled):
    figure = figures.Canvas((2, 2))
    figure.subplots().plot([0, 1], color="#123456")
    drawn = inline_svg(figure, "test", "a <line>")
    assert "#123456" in drawn
    assert ElementTree.fromstring(drawn).attrib["aria-label"] == "a <line>"


def test_the_diagnosis_comes_first_and_every_part_is_there(one):
    text = said(one)
    order = ["The gradient falls to 1 % in 14 steps, where the task needs 100", "Verified against the original"]
    order += ["1 problem, 1 warning", "42 % of the forget gate's values are shut.", "What to change"]
    order += ["forget bias 1 → chrono(100)", "What was measured", "Gradient over lag", "All numbers"]
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert "Not verified" not in text
    assert "6.3·10⁻¹⁶ → 74 %" in re.sub(r"\s+", " ", text)


def test_every_figure_says_in_its_title_what_is_seen(one):
    text = said(one)
    for title in (
        "The gradient falls to 1 % in 14 steps, and the task needs 100",
        'The path "c → c" carries most of the gradient: 2.8·10⁻¹⁶ is left after 100 steps',
        "The loss's gradient falls to 1 % within the last 14 steps of 200",
        "λ₁ = −0.350 ± 0.004 nats per step: a disturbance shrinks e-fold in 2.86 steps",
        "42 % of the forget gate's values are shut, where the memory is erased",
        "Every eigenvalue lies within the unit circle; the largest is 0.97, of ∂c'/∂c",
    ):
        assert title in text
    assert "19 of 24 measured exponents are reliable" in text


def test_what_was_not_verified_is_said_before_all_else(undrawn):
    text = said(page([network(verified=False)], "9.9"))
    assert text.index("Not verified.") < text.index("1 problem")
    assert "Not verified: only arrays were given" in text or "Not verified: the outputs" in text
    plain_step = network()._replace(verification=None)
    assert "Nothing to verify" in said(page([plain_step], "9.9"))


def test_two_networks_stand_side_by_side(undrawn, styled):
    both = [network("before"), network("after", slope=0.01, healthy=True)]
    text = page(both, "9.9")
    assert said(text).count("before") > 5
    assert text.count("<svg") == 2 * len(figures.possible(both))
    assert "No fault found" in said(text)
    numbers = {row.name: row.values for row in rows(both)}
    assert numbers["Gradient falls to 1 % in"] == ("14 steps", "not within the sequence")


def test_two_networks_are_drawn_with_the_same_limits(styled):
    both = [network("before"), network("after", slope=0.01)]
    first, second = figures.each_drawn(figures.DRAWINGS[0], both)
    assert first.axes[0].get_ylim() == second.axes[0].get_ylim()
    assert first.axes[0].get_xlim() == second.axes[0].get_xlim()


def test_what_one_of_two_networks_lacks_is_said(undrawn):
    bare = network("bare", healthy=True)
    little = bare.diagnosis.evidence._replace(gates=None, paths=None)
    bare = bare._replace(diagnosis=bare.diagnosis._replace(evidence=little), spectrum=None, eigenvalues={}, rest=None)
    text = said(page([network("full"), bare], "9.9"))
    assert text.count("Not measured for bare.") == 6
    assert "Gates over time" not in said(page([bare], "9.9"))


def test_a_network_of_which_nothing_was_measured_has_a_page(styled):
    nothing = Diagnosis(evidence()._replace(**dict.fromkeys(evidence()._fields[4:])), (), ())
    text = page([network()._replace(diagnosis=nothing, spectrum=None, eigenvalues={}, rest=None)], "9.9")
    assert "<svg" not in text
    assert "No fault found" in said(text)


@pytest.mark.parametrize("value", [np.nan, *(pytest.param(v, marks=pytest.mark.slow) for v in (-np.inf, 1e3))])
def test_any_number_is_drawn_and_named(styled, value):
    held = evidence()
    sick = held._replace(
        log_norm=np.full_like(held.log_norm, value),
        log_bound=np.full_like(held.log_bound, value),
        paths={"c": np.full_like(held.log_norm, value)},
        log_state_gradients=np.full((8, 200), value),
        exponent=value,
        exponent_stderr=np.inf,
        spectral_radii={"W": abs(value)},
        gates={"forget": held.gates["forget"]._replace(over_time=np.full(200, value))},
        eigenvalue_rate=value,
    )
    full = network()
    odd = full.spectrum._replace(exponents=np.full(24, value), stderr=np.full(24, np.inf))
    sick = full._replace(
        diagnosis=full.diagnosis._replace(evidence=sick), spectrum=odd, eigenvalues={"W": np.full(3, value + 0j)}
    )
    assert "<svg" in page([sick], "9.9")


def test_json_is_valid_and_equal_to_the_evidence(tmp_path, styled):
    both = [network(hostile=HOSTILE), network("other", healthy=True)]
    write_folder(tmp_path / "new", both, "9.9")
    held = json.loads((tmp_path / "new" / "report.json").read_text(), parse_constant=pytest.fail)
    for written, given in zip(held["networks"], both, strict=True):
        found = written["diagnosis"]["evidence"]
        np.testing.assert_allclose(found["log_norm"], given.diagnosis.evidence.log_norm, rtol=1e-5)
        np.testing.assert_allclose(written["spectrum"]["exponents"], given.spectrum.exponents, rtol=1e-5)
        assert written["name"] == given.name
        assert [each["change"] for each in written["diagnosis"]["remedies"]] == [
            each.change for each in given.diagnosis.remedies
        ]
        name, values = next(iter(given.eigenvalues.items()))
        block = written["eigenvalues"][name]
        np.testing.assert_allclose(np.array(block["real"]) + 1j * np.array(block["imag"]), values, rtol=1e-5, atol=1e-9)
    assert held["networks"][1]["figures"]["gradient_flow"] == sentences.of_flow(both[1])
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"report.json", *(f"{each.name}.png" for each in figures.DRAWINGS)}
    assert all((tmp_path / "new" / name).stat().st_size > 5000 for name in names)


def test_numbers_that_json_lacks_are_words():
    odd = network()._replace(eigenvalues={"W": np.array([np.nan + 0j, 1 - 2j])})
    held = data([odd], "9.9")["networks"][0]
    assert held["eigenvalues"] == {"W": {"real": [None, 1.0], "imag": [0.0, -2.0]}}
    assert "params" not in held["diagnosis"]["remedies"][0]
    json.dumps(held, allow_nan=False)


def test_a_file_appears_complete_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    write(path, b"old")
    monkeypatch.setattr("os.replace", lambda *names: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_where_nothing_can_be_written_is_said_at_the_door(tmp_path):
    with pytest.raises(
        ValueError, match=r"path: got .*, expected a file in a folder that exists; make .*missing first"
    ):
        place_of_file("path", tmp_path / "missing" / "report.html")
    with pytest.raises(ValueError, match=r"path: got .*, which is a folder"):
        place_of_file("path", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"folder: got .*, which is a file"):
        place_of_folder("folder", tmp_path / "file")
    with pytest.raises(ValueError, match=r"folder: got .*, expected a folder in one that exists"):
        place_of_folder("folder", tmp_path / "a" / "b")


def test_a_report_is_the_same_each_time(tmp_path):
    nothing = dict.fromkeys(("paths", "log_state_gradients", "gates"))
    given = network()
    given = given._replace(
        diagnosis=given.diagnosis._replace(evidence=given.diagnosis.evidence._replace(**nothing)),
        eigenvalues={},
        rest=None,
    )
    for name in ("a", "b"):
        write_report([given], tmp_path / name, None)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_sentences_of_known_curves():
    def flow(slope, **changes):
        held = network(slope=slope)
        return sentences.of_flow(
            held._replace(diagnosis=held.diagnosis._replace(evidence=held.diagnosis.evidence._replace(**changes)))
        )

    # e^(-0.1 ℓ) is 1 % at ℓ = 46.05
    assert flow(0.1, horizon=None) == "The gradient falls to 1 % in 47 steps"
    assert flow(0.1, horizon=20) == "The gradient lasts: at the horizon of 20 steps, 14 % of it is left"
    assert flow(0.0, horizon=None) == "The gradient lasts: after 200 steps, 100 % of it is left"
    assert flow(-0.1, horizon=None) == "The gradient explodes: after 200 steps it is 4.9·10⁸ times its full size"
    assert flow(-0.02, horizon=None) == "The gradient grows: after 200 steps it is 54.6 times its full size"
    assert flow(0.1, log_norm=np.full((8, 201), np.nan)) == "The gradient is not finite, first at lag 0"


def test_without_a_horizon_the_reach_is_the_title():
    held = network(healthy=True)
    asked = held._replace(diagnosis=held.diagnosis._replace(evidence=held.diagnosis.evidence._replace(horizon=None)))
    assert verdict(asked) == "The gradient falls to 1 % within 14 steps"
    assert "give the horizon" in tables.findings(asked.diagnosis)
    assert verdict(held) == "No fault found"


def test_the_title_and_the_table_give_the_same_exponent(one):
    held = network()
    alone = held._replace(spectrum=held.spectrum._replace(exponents=held.spectrum.exponents - 0.01))
    assert sentences.of_spectrum(alone).startswith("λ₁ = −0.350 ± 0.004 ")
    assert {row.name: row.values[0] for row in rows([alone])}["λ₁, mean of 8 sequences (nats per step)"] == (
        "−0.350 ± 0.004"
    )
    assert sentences.of_first_sequence(alone) == ("Its λ₁ is −0.360 ± 0.004; the title gives the mean of 8 sequences. ")
    assert "the title gives the mean of 8 sequences" in said(one)


def test_a_gate_at_its_end_is_named_with_what_it_does():
    def gates(**shares):
        held = network()
        forget = evidence().gates["forget"]._replace(**shares)
        changed = held.diagnosis.evidence._replace(gates={"forget": forget})
        return sentences.of_gates(held._replace(diagnosis=held.diagnosis._replace(evidence=changed)))

    assert gates(shut=0.1, open=0.6) == "60 % of the forget gate's values are wide open, where the memory lasts"
    assert gates(shut=0.6, role="") == "60 % of the forget gate's values are shut"
    assert gates(shut=0.1, mean=0.31) == "The forget gate is open to 31 % on average"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (words.number(0.00031), "3.1·10⁻⁴"),
        (words.number(-35.0), "−35"),
        (words.number(0.42), "0.42"),
        (words.number(float("nan")), "unknown"),
        (words.with_error(-0.35, 0.004), "−0.350 ± 0.004"),
        (words.with_error(0.1234, float("inf"), sign=True), "+0.123"),
        (words.percent(0.999), "over 99 %"),
        (words.percent(0.0001), "under 0.1 %"),
        (words.size(-35.0), "6.3·10⁻¹⁶"),
        (words.size(-1e5), "3.6·10⁻⁴³⁴³⁰"),
        (words.size(float("-inf")), "exactly 0"),
        (words.size(0.0), "100 %"),
    ],
)
def test_numbers_in_words(found, expected):
    assert found == expected
