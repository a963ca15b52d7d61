"""The page in headless Chromium, as readers see it: on a desk and on a phone, in light and in dark."""

import chromium
import matplotlib.image
import pytest
from report_networks import HOSTILE, network

from rnn_dynamics.reports.report import write_report

SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844, "mobile": True}}
OVERFLOW = """
[...document.querySelectorAll("body *")].filter(each => {
    const box = each.getBoundingClientRect();
    return !each.closest("svg") && box.width && box.right > document.documentElement.clientWidth + 1;
}).map(each => each.outerHTML.slice(0, 80))
"""

pytestmark = pytest.mark.skipif(chromium.found() is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    reports = {
        "one": [network()],
        "two": [network("before", verified=False, hostile=HOSTILE + "x" * 300), network("after", slope=0.01)],
    }

    def written(name):
        path = folder / f"{name}.html"
        if not path.exists():
            write_report(reports[name], path, None)
        return path

    return written


FAST = {("two", "phone", True)}
CASES = [(name, size, dark) for name in ("one", "two") for size in SIZES for dark in (False, True)]


@pytest.mark.parametrize(
    ("name", "size", "dark"), [pytest.param(*case, marks=[pytest.mark.slow] * (case not in FAST)) for case in CASES]
)
def test_a_page_opens_without_a_complaint(browser, pages, tmp_path, name, size, dark):
    browser.open(pages(name), **SIZES[size], dark=dark)
    assert browser.value("document.querySelectorAll('svg').length") >= 6
    assert browser.complaints() == []
    assert browser.requests() == [pages(name).as_uri()]
    assert browser.value("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    assert browser.value(OVERFLOW) == []
    browser.picture(tmp_path / "page.png")
    picture = matplotlib.image.imread(tmp_path / "page.png")
    assert picture.shape[1] == SIZES[size]["width"]
    background = picture[5, 5, :3].mean()
    assert background < 0.2 if dark else background > 0.95
    # letters and figures stand out from it: their darkest, or brightest, parts
    assert (picture[..., :3].mean(axis=2).max() > 0.85) if dark else (picture[..., :3].mean(axis=2).min() < 0.25)


def test_a_script_on_the_page_would_be_heard_and_not_run(browser, pages, tmp_path):
    """The test above can fail: Chromium reports what the page's policy refuses."""
    text = pages("two").read_text().replace("</main>", "<script>window.ran = 1</script><img src='x.png'></main>")
    (tmp_path / "bad.html").write_text(text)
    browser.open(tmp_path / "bad.html", **SIZES["desk"])
    assert browser.value("window.ran === undefined")
    browser.value("new Promise(done => setTimeout(done, 100))")
    assert browser.complaints()
