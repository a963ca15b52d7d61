"""Write the files of a report: each appears complete or not at all."""

import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import figures, plain_data
from .network import Network


def place_of_file(name: str, path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that can be written, before anything is measured for it."""
    place = Path(path)
    if place.is_dir():
        raise ValueError(f"{name}: got {str(place)!r}, which is a folder; expected the file to write")
    if not place.parent.is_dir():
        raise ValueError(
            f"{name}: got {str(place)!r}, expected a file in a folder that exists; make {place.parent} first"
        )
    return place


def place_of_folder(name: str, path: str | os.PathLike[str]) -> Path:
    """Return the path of a folder, which is made when the report is written if only its last part is missing."""
    place = Path(path)
    if place.exists() and not place.is_dir():
        raise ValueError(f"{name}: got {str(place)!r}, which is a file; expected a folder")
    if not place.exists() and not place.parent.is_dir():
        raise ValueError(f"{name}: got {str(place)!r}, expected a folder in one that exists; make {place.parent} first")
    return place


def write(path: Path, content: bytes) -> None:
    """Write a file by renaming a finished one, so that no reader ever sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp's files are for their owner alone
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_folder(folder: Path, networks: Sequence[Network], version: str) -> None:
    """Write report.json and a PNG file of each figure. Their names come from this package, not from the network."""
    folder.mkdir(exist_ok=True)
    numbers = json.dumps(plain_data.data(networks, version), allow_nan=False, ensure_ascii=False)
    write(folder / "report.json", (numbers + "\n").encode())
    for drawing in figures.possible(networks):
        stream = io.BytesIO()
        figures.drawn(drawing, networks).savefig(stream, format="png", metadata={"Software": None})
        write(folder / f"{drawing.name}.png", stream.getvalue())
