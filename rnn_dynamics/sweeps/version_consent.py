"""Continue a sweep with other versions than its own; ask for consent where they could hide another `measure_point`.

A store identifies its function by the program that JAX traces from it. Another version of JAX may print the same
program differently, and another version of this package may compute the same numbers with another program.
"""

from typing import Any

from .address import writing
from .errors import StoreError
from .log import log
from .store import Store


def check_versions(store: Store, here: dict[str, Any], on_version: str) -> None:
    """Warn about other versions; refuse another program unless the user accepts it now or has accepted it before."""
    there = store.attributes
    changed = _changed(there["versions"], here["versions"])
    if here["program"] != there["program"]:
        _ask(store, f"{here['program']} by {here['versions']}", changed, on_version)
    log.warning("%s: started with %s, continues with %s; numbers agree to rounding", store.address, *changed)


def _ask(store: Store, program: str, changed: tuple[str, str], on_version: str) -> None:
    accepted = [str(text) for text in store.attributes.get("accepted_programs", [])]
    if program in accepted:
        return
    if on_version != "accept":
        raise StoreError(
            f"store: {store.address} was started with {changed[0]}, and this is {changed[1]}. The program of "
            "measure_point is different now. New versions alone can cause that, and so can a change of measure_point "
            "or of a function that it calls; the two cannot be told apart. If you changed neither, continue with "
            "on_version='accept' (--on-version accept): numbers from before and after agree to rounding. Otherwise use "
            "a new place, or the old versions"
        )
    with writing(store.address):
        store.group.attrs["accepted_programs"] = [*accepted, program]


def _changed(there: str, here: str) -> tuple[str, str]:
    """Return the packages whose versions differ, as they are in the store and here."""
    both = there.split(", "), here.split(", ")
    there_only, here_only = (", ".join(one for one in mine if one not in other) for mine, other in (both, both[::-1]))
    return there_only, here_only
