"""Create the store of a new sweep. The first process creates it, from a plan made on the devices that will compute."""

import contextlib
import time

from . import identity, jax_settings, worker
from .address import Address
from .coordinates import Coordinate
from .initial_contents import fill_new
from .options import Options, Sweep
from .outputs import Layout, TracedOutputs
from .runner import Programs
from .store import create, is_there
from .worker import Request

# seconds that the other processes wait for the first one to create the store
PATIENCE = 3600.0


def wait_for(address: Address) -> None:
    """Wait until process 0 has created the store. Outside a folder, the store may at first be there only in part."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(ValueError):
            if is_there(address):
                return
        time.sleep(0.2)
    raise TimeoutError(f"store: {address} was not created by process 0 within {PATIENCE:.0f} s")


def make_store(
    sweep: Sweep,
    options: Options,
    traced: TracedOutputs,
    layout: Layout,
    coords: list[Coordinate],
    programs: Programs,
) -> bool:
    """Create the store and return whether this process won: False if another one put its store there first."""
    request = Request(
        sweep.measure_point,
        sweep.grid,
        identity.key_attributes(sweep.key),
        jax_settings.current(),
        {field.name: (field.dtype, field.shape) for field in layout.fields},
        list(traced.shapes),
        options.devices,
        options.chunk,
    )
    if options.executor is None:
        plan, device = worker.plan(request, programs)
    else:
        plan, device = options.executor.submit(worker.plan, request).result()
    found = identity.of_sweep(sweep.measure_point, sweep.grid, sweep.key, traced, layout, options.chunk)
    found |= identity.of_plan(plan, device)
    return create(sweep.address, lambda group: fill_new(group, sweep.grid, plan, layout.fields, coords, found))
