"""A zarr store in a folder that reads and writes only plain files.

Reading a pipe could block for ever. A link leads out of the store: a chunk written below a linked folder would land
wherever the link points.
"""

import os
import stat
from typing import Any

from zarr.storage import LocalStore

from .errors import StoreError

# limits in bytes: a metadata file, which normally has a few kilobytes; any other file, which is one compressed chunk
MOST_METADATA, MOST_FILE = 2**26, 2**32


class PlainFiles(LocalStore):
    """The zarr store of a folder. Anything that is neither a folder nor a plain file is refused before it is opened."""

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
        return await super().get(key, *args, **options) if self._is_there(key) else None

    def get_sync(self, key: str, **options: Any) -> Any:
        """Return the content of a plain file, or None if there is none."""
        return super().get_sync(key, **options) if self._is_there(key) else None

    async def _set(self, key: str, value: Any, exclusive: bool = False) -> None:
        self._is_there(key)
        await super()._set(key, value, exclusive=exclusive)

    def set_sync(self, key: str, value: Any) -> None:
        """Write a plain file."""
        self._is_there(key)
        super().set_sync(key, value)
