"""Update the units and long names in a store to those that `described` gives now, since they change no number."""

from collections.abc import Sequence

from .address import check_writable, writing
from .coordinates import Coordinate
from .initial_contents import consolidate
from .log import log
from .outputs import Field
from .store import Store


def update(store: Store, fields: Sequence[Field], coordinates: Sequence[Coordinate]) -> None:
    """Update units and long names, and log each that differed; a read-only store keeps its own."""
    wanted = {one.name: one.attributes for one in coordinates}
    wanted |= {field.name: field.variable.attributes(field.name) for field in fields}
    changed = {}
    for name, attributes in wanted.items():
        there = dict(store.group[name].attrs)
        if there != attributes:
            changed[name] = attributes
            log.warning("%s: %s is described by %s in the store and by %s here", store.address, name, there, attributes)
    if not changed:
        return
    try:
        check_writable(store.address)
    except OSError:
        log.warning("%s: the store is read-only and keeps its descriptions", store.address)
        return
    with writing(store.address):
        for name, attributes in changed.items():
            store.group[name].attrs.put(attributes)
        consolidate(store.group)
    log.warning("%s: the descriptions of %s were updated", store.address, ", ".join(changed))
