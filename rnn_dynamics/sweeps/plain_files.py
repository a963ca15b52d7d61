"""A zarr store in a folder that reads and writes only plain files, and unpacks no more than an array can hold.

Reading a pipe could block for ever. A link leads out of the store: a chunk written below a linked folder would land
wherever the link points. A compressed file of a few kilobytes could unpack to gigabytes.
"""

import math
import os
import stat
from collections.abc import Mapping
from typing import Any

from zarr.storage import LocalStore

from .errors import StoreError

# limits in bytes: a metadata file, which normally has a few kilobytes; any other file, which is one compressed chunk
MOST_METADATA, MOST_FILE = 2**26, 2**32
# how a Zstandard frame begins, and the bytes of its longest header
MAGIC, MOST_HEADER = b"\x28\xb5\x2f\xfd", 18


class PlainFiles(LocalStore):
    """The zarr store of a folder. Anything that is neither a folder nor a plain file is refused before it is opened.

    `most_unpacked` is the largest size of an unpacked chunk in bytes, by the name of its array; `open_store` sets it.
    """

    most_unpacked: Mapping[str, int] = {}

    def _is_there(self, key: str) -> bool:
        """Return whether a plain file has this name; raise if it is something else or a link leads to it."""
        path = os.fspath(self.root)
        mode = stat.S_IFDIR
        for part in key.split("/"):
            path = os.path.join(path, part)
            try:
                found = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                return False
            mode = found.st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise StoreError(f"store: {path} is neither a folder nor a plain file; expected the store of a sweep")
        if stat.S_ISDIR(mode):
            return False
        most = MOST_METADATA if key.endswith("zarr.json") else MOST_FILE
        if found.st_size > most:
            raise StoreError(f"store: {path} has {found.st_size} bytes; expected at most {most}")
        return True

    async def get(self, key: str, *args: Any, **options: Any) -> Any:
        """Return the content of a plain file, or None if there is none."""
        return self._checked(key, await super().get(key, *args, **options)) if self._is_there(key) else None

    def get_sync(self, key: str, **options: Any) -> Any:
        """Return the content of a plain file, or None if there is none."""
        return self._checked(key, super().get_sync(key, **options)) if self._is_there(key) else None

    def with_read_only(self, read_only: bool = False) -> "PlainFiles":
        """Return a store of the same folder with the same limits."""
        other = super().with_read_only(read_only)
        other.most_unpacked = self.most_unpacked
        return other

    def _checked(self, key: str, found: Any) -> Any:
        """Return the content of a file, unless it unpacks to more than a chunk of its array holds.

        The error is a ValueError, as of a decoder: whoever reads a damaged chunk goes on without it.
        """
        most = self.most_unpacked.get(f"{key}/".rpartition("/c/")[0], math.inf)
        size = 0 if found is None else unpacked_size(found[:MOST_HEADER].to_bytes())
        if size > most:
            says = "does not say to how many bytes it unpacks" if size == math.inf else f"unpacks to {size} bytes"
            raise ValueError(f"store: {self.root}/{key} {says}; expected at most {most}")
        return found

    async def _set(self, key: str, value: Any, exclusive: bool = False) -> None:
        self._is_there(key)
        await super()._set(key, value, exclusive=exclusive)

    def set_sync(self, key: str, value: Any) -> None:
        """Write a plain file."""
        self._is_there(key)
        super().set_sync(key, value)


def unpacked_size(header: bytes) -> float:
    """Return the size in bytes that the header of a Zstandard frame states; inf if it states none.

    Other data have the size 0: no decoder of Zstandard would unpack them.

    A decoder allocates this size and stops with an error where the data are longer. The format is that of RFC 8878,
    section 3.1.1: after a magic number of four bytes, one byte describes which of the other fields follow.
    """
    if header[:4] != MAGIC or len(header) < 5:
        return 0
    size_flag, single_segment, key_flag = header[4] >> 6, header[4] >> 5 & 1, header[4] & 3
    begin = 5 + (1 - single_segment) + (0, 1, 2, 4)[key_flag]
    length = (single_segment, 2, 4, 8)[size_flag]
    if not length or len(header) < begin + length:
        return math.inf
    return int.from_bytes(header[begin : begin + length], "little") + (256 if length == 2 else 0)
