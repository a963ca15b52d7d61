"""HTML that is escaped by construction: a text becomes markup only as an escaped child or attribute of an element."""

import html
import re
from collections.abc import Iterable
from typing import Any

from ..sweeps.terminal_text import printable

# no line ends between a number and its percent sign
PERCENT = re.compile(r"(\d) %")
# elements without children and without a closing tag
VOID = {"meta", "br", "img", "link"}


class Markup(str):
    """Text that is HTML already. Only `element`, `joined` and the files of this folder make it."""

    __slots__ = ()


def escaped(text: object) -> Markup:
    r"""Return a text for the page: `<`, `>`, `&` and quotes escaped, control characters written out, such as `\x1b`."""
    if isinstance(text, Markup):
        return text
    safe = html.escape(printable(text, keep=""), quote=True)
    return Markup(PERCENT.sub(r"\1&nbsp;%", safe))


def joined(parts: Iterable[object]) -> Markup:
    """Return the parts one after the other, those escaped that are not markup yet."""
    return Markup("".join(escaped(part) for part in parts))


def element(name: str, /, *children: object, **attributes: Any) -> Markup:
    """Return an element. A trailing `_` in an attribute's name is dropped and `_` becomes `-`; None is left out."""
    written = "".join(
        f' {key.removesuffix("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")
