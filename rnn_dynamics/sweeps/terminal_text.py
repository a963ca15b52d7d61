"""Text from a store as a terminal may show it: nothing in it moves the cursor, changes colours or hides a word."""


def printable(text: object, *, keep: str = "\n") -> str:
    r"""The text with every character that does not print written out, `\x1b` for one, except those in `keep`."""
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode() for one in str(text)
    )
