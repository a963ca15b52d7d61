"""A matplotlib figure as SVG inside a page, in the page's own colours, so that one drawing serves light and dark.

The drawing is parsed and written anew: only the elements and attributes of `KEPT` pass, and every colour becomes a
variable of the style sheet. Letters are drawn as paths, so that the page looks the same without the fonts.
"""

import io
import re
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

from .markup import Markup, element

# each colour that the plots use, and the variable of page.css that takes its place
VARIABLES = {
    "#000000": "ink",
    "#262626": "ink",
    "#404040": "ink",
    "#595959": "muted",
    "#666666": "muted",
    "#808080": "faint",
    "#999999": "faint",
    "#b0b0b0": "rule",
    "#cccccc": "rule",
    "#e6e6e6": "rule",
    "#ffffff": "paper",
    "#0072b2": "blue",
    "#d55e00": "orange",
    "#009e73": "green",
    "#cc79a7": "pink",
    "#e69f00": "yellow",
    "#56b4e9": "sky",
}
KEPT = {
    "svg": {"viewBox"},
    "g": {"transform", "style", "clip-path"},
    "path": {"id", "d", "transform", "style", "clip-path"},
    "use": {"href", "x", "y", "transform", "style"},
    "rect": {"x", "y", "width", "height", "style"},
    "clipPath": {"id"},
    "defs": set(),
}
COLOUR = re.compile(r"#[0-9a-f]{6}\b", re.IGNORECASE)
LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")


def inline_svg(figure: Figure, name: str, sentence: str) -> Markup:
    """Return the figure as an element of the page.

    Args:
        figure: The figure.
        name: A name of letters, digits and "-" that no other figure of the page has, for the ids within it.
        sentence: What the figure shows, for those who cannot see it.
    """
    stream = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(stream.getvalue())
    drawn = _rewritten(root, name)
    return Markup(drawn.replace("<svg", f"<svg {_attributes(role='img', aria_label=sentence)}", 1))


def _attributes(**attributes: str) -> str:
    """Return attributes as `element` writes them."""
    return element("a", **attributes).removeprefix("<a ").removesuffix("></a>")


def _rewritten(node: ElementTree.Element, name: str) -> Markup:
    """Return an element of the drawing and what it contains, without what is not in `KEPT`."""
    tag = _local(node.tag)
    attributes = {_local(key): value for key, value in node.attrib.items() if _local(key) in KEPT[tag]}
    children = [_rewritten(child, name) for child in node if _local(child.tag) in KEPT]
    return element(
        tag, *children, **{key.replace("-", "_"): _own(key, value, name) for key, value in attributes.items()}
    )


def _local(tag: object) -> str:
    """Return a name without its namespace."""
    return str(tag).rsplit("}", 1)[-1]


def _own(key: str, value: str, name: str) -> str:
    """Return an attribute's value with ids of this figure alone, variables for colours, and short numbers."""
    if key == "id":
        return f"{name}-{value}"
    if key in ("href", "clip-path"):
        return value.replace("#", f"#{name}-")
    if key == "style":
        return COLOUR.sub(lambda found: in_colour(found[0]), value)
    return LONG_NUMBER.sub(r"\1", value) if key == "d" else value


def in_colour(colour: str) -> str:
    """Return the variable for a colour of the plots; another colour stays as it is."""
    variable = VARIABLES.get(colour.lower())
    return f"var(--{variable})" if variable else colour
