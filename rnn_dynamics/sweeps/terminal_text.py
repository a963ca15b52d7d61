"""Make text from a store safe for a terminal: nothing in it can move the cursor, change colours or hide words."""


def printable(text: object, *, keep: str = "\n") -> str:
    r"""Return the text with each non-printing character written out, such as `\x1b`, except those in `keep`."""
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode() for one in str(text)
    )
