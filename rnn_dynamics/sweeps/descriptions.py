"""Units and long names in a store: they change no number, so those that `described` says now replace the old ones."""

from collections.abc import Sequence

from .address import check_writable, writing
from .coordinates import Coordinate
from .initial_contents import consolidate
from .log import log
from .outputs import Field
from .store import Store


def update(store: Store, fields: Sequence[Field], coordinates: Sequence[Coordinate]) -> None:
    """Bring units and long names up to date, and say which were not; a store that is read-only keeps its own."""
    wanted = {one.name: one.attributes for one in coordinates}
    wanted |= {field.name: field.variable.attributes(field.name) for field in fields}
    changed = {}
    for name, attributes in wanted.items():
        there = dict(store.group[name].attrs)
        if there != attributes:
            changed[name] = attributes
            log.warning("%s: %s is described by %s there and by %s here", store.address, name, there, attributes)
    if not changed:
        return
    try:
        check_writable(store.address)
    except OSError:
        log.warning("%s: is read-only and keeps its descriptions", store.address)
        return
    with writing(store.address):
        for name, attributes in changed.items():
            store.group[name].attrs.put(attributes)
        consolidate(store.group)
    log.warning("%s: the descriptions of %s were updated", store.address, ", ".join(changed))
