"""Read arrays from files of weights that may come from anywhere.

Formats that can hold programs (pickle, and so .pt and .pth) are refused. What a header claims is compared with the size
of the file before anything is allocated, and whatever is wrong ends in one line that names the file.
"""

import json
import math
import re
import stat
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jax.numpy import bfloat16

MOST_BYTES = 2**32
# zeros compress a thousandfold, weights hardly at all
MOST_TIMES_UNPACKED, ALWAYS_UNPACKED = 20, 2**26
MOST_NAMES, LONGEST_NAME = 10_000, 300
MOST_LAYERS = 64  # a file of thousands would be compiled for hours
PLAIN_NAME = re.compile(r"[\w./:\-+~@$=,'()\[\] ]+")
DTYPES: dict[str, Any] = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": bfloat16, "BOOL": np.bool_}
DTYPES |= {f"{kind[0].upper()}{bits}": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
TO_SAFETENSORS = """\
    import torch
    from safetensors.torch import save_file

    state = torch.load({old!r}, map_location="cpu", weights_only=True)  # or your_model.state_dict()
    state = {{name: value.clone().contiguous() for name, value in state.items() if torch.is_tensor(value)}}
    save_file(state, {new!r})"""


def load(path: str | PathLike) -> dict[str, np.ndarray]:
    """Read the arrays of a .safetensors or .npz file.

    Other formats are refused: .pt, .pth and .pkl because reading them can run any program, the others because each
    would need its own package. For .pt and .pth the error shows the lines that turn the file into .safetensors.

    Args:
        path: The file, up to 4 GiB. An .npz may unpack to at most 20 times its size (or 64 MiB, if that is more), and
            names must consist of letters, digits and plain punctuation.

    Returns:
        The arrays by name, in their own dtypes; bfloat16 is that of `jax.numpy`. Nothing else is in the file or read.

    Cost:
        Time and memory O(size of the arrays).

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "net.npz")
        >>> np.savez(path, weight_hh_l0=np.zeros((4, 4)))
        >>> rd.interop.load(path)["weight_hh_l0"].shape
        (4, 4)
    """
    path = Path(path)
    read = _reader(path)
    if not path.exists():
        raise FileNotFoundError(f"{shown(path)}: there is no such file")
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{shown(path)}: expected a regular file")
    size = path.stat().st_size
    if not 0 < size <= MOST_BYTES:
        raise ValueError(f"{shown(path)}: the file has {size} bytes, expected between 1 and {MOST_BYTES}")
    try:
        return read(path.read_bytes())
    except Exception as error:  # the formats' readers raise some ten kinds of errors on damaged files
        reason = str(error) if isinstance(error, Refused) else f"damaged, or in another format ({type(error).__name__})"
        raise ValueError(f"{shown(path)}: {reason}") from None


class Refused(ValueError):
    """What is wrong with a file, in words for the user."""


def shown(name: Any) -> str:
    """Return a name from a file, or that of a file, as one short line without control characters."""
    text = ascii(str(name))
    return text if len(text) <= 100 else f"{text[:60]}...{text[-30:]}"


def in_words(names: Iterable[str]) -> str:
    """Return names that may come from a file, the first dozen of them, as one short line."""
    first = list(names)
    return ", ".join(map(shown, first[:12])) + (", ..." if len(first) > 12 else "")


def _reader(path: Path) -> Callable[[bytes], dict[str, np.ndarray]]:
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return _safetensors
    if suffix == ".npz":
        return _npz
    reason = "expected a .safetensors or .npz file"
    if suffix in (".pt", ".pth", ".bin", ".ckpt"):
        lines = TO_SAFETENSORS.format(old=str(path), new=str(path.with_suffix(".safetensors")))
        reason = f"{reason}, since reading {suffix} can run any program that is in it. To convert it:\n\n{lines}"
    elif suffix in (".pkl", ".pickle", ".npy"):
        reason += ", since " + ("one array has no name" if suffix == ".npy" else "a pickle can run any program")
    elif suffix in (".h5", ".hdf5", ".keras"):
        reason += "; with Keras, pass the layer itself, or save its weights with numpy.savez"
    raise ValueError(f"{shown(path)}: {reason}")


def _checked_names(names: list[str]) -> None:
    if len(names) > MOST_NAMES:
        raise Refused(f"holds {len(names)} arrays, expected at most {MOST_NAMES}")
    for name in names:
        plain = PLAIN_NAME.fullmatch(name) and ".." not in name.split("/") and not name.startswith("/")
        if not plain or len(name) > LONGEST_NAME:
            raise Refused(f"holds an array named {shown(name)}, expected letters, digits and plain punctuation")
    if len({*names}) < len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise Refused(f"holds two arrays named {shown(twice)}")


def _safetensors(data: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError, deserialize

    try:
        tensors = dict(deserialize(data))
    except SafetensorError as error:
        said = shown(str(error).removeprefix("Error while deserializing: ")).strip("'")
        raise Refused(f"not a complete .safetensors file ({said})") from None
    # the package keeps one of two equal names, and returns arrays in an order that changes from process to process
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")], object_pairs_hook=list)
    names = [name for name, _ in header if name != "__metadata__"]
    _checked_names(names)
    arrays = {}
    for name in names:
        tensor = tensors[name]
        if tensor["dtype"] not in DTYPES:
            raise Refused(f"{shown(name)} has the type {tensor['dtype']}, expected one of {', '.join(DTYPES)}")
        arrays[name] = np.frombuffer(tensor["data"], DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
    return arrays


def _npz(data: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
        names = [_array_name(member.filename) for member in members]
        _checked_names(names)
        unpacked = sum(member.file_size for member in members)
        if unpacked > max(ALWAYS_UNPACKED, MOST_TIMES_UNPACKED * len(data)):
            raise Refused(f"{len(data)} bytes unpack to {unpacked}, more than weights can be compressed")
        return {name: _npy(name, archive.read(member)) for name, member in zip(names, members, strict=True)}


def _array_name(member: str) -> str:
    if not member.endswith(".npy"):
        raise Refused(f"holds {shown(member)}, expected arrays (.npy) alone")
    return member.removesuffix(".npy")


def _npy(name: str, data: bytes) -> np.ndarray:
    """Read one array, whose header must agree with the number of bytes that follow it."""
    stream = BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, by_column, dtype = read_header[version](stream)
    if dtype.kind not in "fiubc":
        raise Refused(f"{shown(name)} has dtype {shown(dtype)}, expected numbers; pickled objects are never read")
    values = data[stream.tell() :]
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(values):
        raise Refused(f"{shown(name)} claims the shape {shown(shape)} of {dtype}, but holds {len(values)} bytes")
    array = np.frombuffer(values, dtype)
    return array.reshape(shape[::-1]).T if by_column else array.reshape(shape)
