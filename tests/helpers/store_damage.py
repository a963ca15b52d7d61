"""A store's metadata, edited as by hand or as by somebody who means harm."""

import json
from pathlib import Path

from rnn_dynamics.sweeps import attribute_seal, coordinate_copies


def edit(store: Path, change) -> None:
    """Change the metadata that a store is opened by: `change(attributes, arrays)`."""
    file = store / "zarr.json"
    content = json.loads(file.read_text())
    change(content["attributes"], content["consolidated_metadata"]["metadata"])
    file.write_text(json.dumps(content))


def reseal(store: Path, change) -> None:
    """The same by somebody who knows the format: the digest and the second copy of the attributes fit again."""

    def change_and_seal(attributes, arrays):
        change(attributes, arrays)
        attributes.update(attribute_seal.sealed(attributes))
        arrays["progress"]["attributes"] = attributes

    edit(store, change_and_seal)


def claim(arrays, name, shape, chunks=None) -> None:
    """Let an array claim another shape."""
    arrays[name]["shape"] = list(shape)
    if chunks:
        arrays[name]["chunk_grid"]["configuration"]["chunk_shape"] = list(chunks)


def claim_grid(attributes, arrays, dim, length, chunk) -> None:
    """Let the whole store claim another length along a dimension of its grid, in chunks of that length."""
    place = attributes["grid_dims"].index(dim)
    attributes["grid_shape"][place] = length
    attributes["chunk_shape"][place] = chunk
    for name, array in arrays.items():
        dims = array.get("dimension_names") or ()
        if dim in dims:
            at = dims.index(dim)
            array["shape"][at] = length
            array["chunk_grid"]["configuration"]["chunk_shape"][at] = length if name in attributes["axes"] else chunk
    many = 1
    for size, side in zip(attributes["grid_shape"], attributes["chunk_shape"], strict=True):
        many *= -(-size // side)
    claim(arrays, "progress/record", [many])
    entries = attributes["coordinate_arrays"]
    attributes["coordinate_arrays"] = [text.replace(f"[{dim}=", f"[{dim}={length}] [", 1) for text in entries]
    attributes["coordinate_arrays"] = [
        text.split("] [")[0] + "] " + text.rpartition(" ")[2] if "] [" in text else text
        for text in attributes["coordinate_arrays"]
    ]


def flip(file: Path) -> None:
    """Turn the bits of the byte in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def forget_copy(store: Path, name: str) -> None:
    """Remove the copy of a coordinate's values."""
    entries = json.loads((store / "zarr.json").read_text())["attributes"]["coordinate_arrays"]
    number = [text.split(":")[0] for text in entries].index(name)
    (store / coordinate_copies.COPIES / "c" / str(number)).unlink()
