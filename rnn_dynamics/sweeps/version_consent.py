"""Going on with a sweep in other versions than it was begun with: where they hide a changed measure the user is asked.

A store knows its measure by the program that JAX makes of it. Another version of JAX may write the same program in
other words, and another version of this package may compute the same by another one.
"""

from typing import Any

from .address import writing
from .errors import StoreError
from .log import log
from .store import Store


def check_versions(store: Store, here: dict[str, Any], on_version: str) -> None:
    """Warn of other versions; refuse another program, unless the user accepts it now or has accepted it before."""
    there = store.attributes
    changed = _changed(there["versions"], here["versions"])
    if here["program"] != there["program"]:
        _ask(store, f"{here['program']} by {here['versions']}", changed, on_version)
    log.warning("%s: begun with %s, goes on with %s; numbers agree to rounding", store.address, *changed)


def _ask(store: Store, program: str, changed: tuple[str, str], on_version: str) -> None:
    accepted = [str(text) for text in store.attributes.get("accepted_programs", [])]
    if program in accepted:
        return
    if on_version != "accept":
        raise StoreError(
            f"store: {store.address} was begun with {changed[0]}, and here is {changed[1]}. The program of measure "
            "reads differently now. New versions alone can do that, and so can a change of measure or of a function "
            "that it calls; the two cannot be told apart. If you changed neither, go on with on_version='accept' "
            "(--on-version accept): numbers from before and after agree to rounding. Otherwise use a new place, or "
            "the old versions"
        )
    with writing(store.address):
        store.group.attrs["accepted_programs"] = [*accepted, program]


def _changed(there: str, here: str) -> tuple[str, str]:
    """The packages whose versions differ, there and here."""
    both = there.split(", "), here.split(", ")
    there_only, here_only = (", ".join(one for one in mine if one not in other) for mine, other in (both, both[::-1]))
    return there_only, here_only
