"""Resolve the address of a store (a folder, a URL that fsspec knows, or a zarr store), and give clear errors for it."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zarr.abc.store import Store as ZarrStore
from zarr.storage import LocalStore

from .errors import StoreError
from .plain_files import PlainFiles
from .terminal_text import printable

Address = str | Path | ZarrStore


def resolve(store: Any) -> Address:
    """Return a folder or file:// URL as an absolute Path; return other URLs and zarr stores unchanged."""
    if isinstance(store, ZarrStore):
        return store
    if not isinstance(store, str | os.PathLike):
        raise TypeError(f"store: got {store!r}, expected a folder, a URL that fsspec knows, or a zarr store")
    text = os.fspath(store).removeprefix("file://")
    return text if "://" in text else Path(text).expanduser().absolute()


def backend(address: Address) -> Any:
    """Return what zarr and xarray open: fsspec's store for a URL; for a folder, one that accepts only plain files."""
    if isinstance(address, str):
        from zarr.storage import FsspecStore  # needs fsspec, an extra

        return FsspecStore.from_url(address)
    if isinstance(address, Path):
        return PlainFiles(address)
    if type(address) is LocalStore:
        return PlainFiles(address.root, read_only=address.read_only)
    return address


def check_writable(address: Address) -> None:
    """Raise now, not after the first chunk, if a folder cannot be written to; create the parents of a new folder."""
    if not isinstance(address, Path):
        return
    with writing(address):
        address.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(address if address.exists() else address.parent, os.W_OK):
            raise OSError(errno.EACCES, "it is read-only")


@contextlib.contextmanager
def reading(address: Any) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into a StoreError that names the store."""
    try:
        yield
    except (OSError, StoreError):
        raise
    except Exception as error:
        raise StoreError(
            f"store: cannot read {address}: {type(error).__name__}: {printable(error, keep='')}; "
            "expected the store of a sweep, undamaged"
        ) from error


@contextlib.contextmanager
def writing(address: Address) -> Iterator[None]:
    """Turn an error of the operating system into one that names the store and says what to do."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"store: cannot write to {address}: {error.strerror or error}. What was finished before is valid; "
            "make sure that the place is writable and has enough space, then run the same sweep again",
        ) from error
