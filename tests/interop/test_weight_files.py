"""Files of weights from anywhere: read right, or refused in one line that names the file."""

import io
import json
import os
import pickle
import re
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

import rnn_dynamics as rd
from rnn_dynamics.interop import weight_files

ARRAYS = {
    "rnn.weight_hh_l0": np.arange(12, dtype=np.float32).reshape(3, 4),
    "single": np.array(2.5),
    "empty": np.zeros((0, 3), np.float16),
    "params/cell/kernel:0": np.arange(3),
    "['params']['cell']['hi']": np.array([True, False]),
}


def written(path, arrays=ARRAYS):
    (np.savez if path.suffix == ".npz" else lambda path, **arrays: save_file(arrays, path))(path, **arrays)
    return path


SHAPES = {
    "haiku LSTM": ("haiku", {"lstm/linear/w": (), "lstm/linear/b": ()}),
    "haiku LSTM, a row": ("haiku", {"lstm/linear/w": (1,), "lstm/linear/b": (1,)}),
    "haiku GRU": ("haiku", {"w_h": (), "w_i": (), "b": ()}),
    "flax": ("flax", {"h/kernel": (), "i/kernel": (), "i/bias": ()}),
    "flax, three axes": ("flax", {"h/kernel": (2, 2, 2), "i/kernel": (2, 2), "i/bias": (2,)}),
    "keras": ("keras", {"recurrent_kernel": (), "kernel": ()}),
    "equinox": ("equinox", {"weight_hh": (1,), "weight_ih": (1,)}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_arrays_of_any_shape_end_in_one_clear_line(tmp_path, name):
    layout, shapes = SHAPES[name]
    path = written(tmp_path / "net.safetensors", {name: np.ones(shape, np.float32) for name, shape in shapes.items()})
    with pytest.raises(ValueError, match=r"got shape \(.*\), expected a matrix"):
        rd.interop.LAYOUTS[layout](path)


def test_a_file_of_thousands_of_layers_is_refused_at_once(tmp_path):
    parts = {"weight_hh": np.ones((4, 1), np.float32), "weight_ih": np.ones((4, 1), np.float32)}
    arrays = {f"cells/{number}/{part}": array for number in range(4000) for part, array in parts.items()}
    with pytest.raises(ValueError, match="hold more than 64 recurrent layers"):
        rd.interop.from_equinox(written(tmp_path / "net.safetensors", arrays))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".NPZ"])
def test_arrays_come_back_as_they_were(tmp_path, suffix):
    path = written(tmp_path / f"net{suffix.lower()}").rename(tmp_path / f"other{suffix}")
    found = rd.interop.load(str(path))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_arrays_come_in_the_order_of_the_file(tmp_path):
    names = [f"layer{i}" for i in range(50)]
    path = written(tmp_path / "net.safetensors", {name: np.zeros(2, np.float32) for name in names})
    header = json.loads(path.read_bytes()[8:].split(b"}}")[0] + b"}}")
    assert list(rd.interop.load(path)) == list(header)


def test_compressed_column_major_and_big_endian_arrays(tmp_path):
    arrays = {"a": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "b": np.arange(3, dtype=">f4")}
    np.savez_compressed(tmp_path / "net.npz", **arrays)
    for name, array in rd.interop.load(tmp_path / "net.npz").items():
        np.testing.assert_array_equal(array, arrays[name])


def test_bfloat16(tmp_path):
    array = jnp.asarray([1.0, 2.5, -3.0], jnp.bfloat16)
    save_file({"a": np.asarray(array)}, tmp_path / "net.safetensors")
    found = rd.interop.load(tmp_path / "net.safetensors")["a"]
    assert found.dtype == jnp.bfloat16
    np.testing.assert_array_equal(found, array)


def with_header(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor(shape, end, start=0, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def npz(*members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def npy(header, data=b"", version=(1, 0)):
    text = header.encode().ljust(128) + b"\n"
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2, "little") + text + data


def of_objects():
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], object), allow_pickle=True)
    return stream.getvalue()


GOOD_NPY = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", bytes(8))
ZEROS = npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**25},), }}")
SAFETENSORS = {
    "empty": b"",
    "too short for a header": b"\1\2",
    "a header longer than the file": (10**15).to_bytes(8, "little") + b"{}",
    "a header that is no JSON": with_header(b"not json at all"),
    "a header that is a list": with_header(b"[1, 2]"),
    "10^15 numbers": with_header({"a": tensor([10**15], 4 * 10**15)}),
    "10^15 numbers in 8 bytes": with_header({"a": tensor([10**15], 8)}, bytes(8)),
    "sizes whose product overflows": with_header({"a": tensor([2**32, 2**32], 8)}, bytes(8)),
    "a negative size": with_header({"a": tensor([-2], 8)}, bytes(8)),
    "ends before it starts": with_header({"a": tensor([2], 0, 8)}, bytes(8)),
    "overlapping arrays": with_header({"a": tensor([2], 8), "b": tensor([2], 12, 4)}, bytes(12)),
    "a type of no use": with_header({"a": tensor([8], 8, dtype="F8_E4M3")}, bytes(8)),
    "a type that does not exist": with_header({"a": tensor([2], 8, dtype="X")}, bytes(8)),
    "more data than said": with_header({"a": tensor([2], 8)}, bytes(800)),
    "two arrays of one name": with_header(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        bytes(8),
    ),
    "a way out": with_header({"../../a": tensor([2], 8)}, bytes(8)),
    "an absolute path": with_header({"/etc/a": tensor([2], 8)}, bytes(8)),
    "a script": with_header({"<script>alert(1)</script>": tensor([2], 8)}, bytes(8)),
    "a control character": with_header({"a\x1b[2J\n": tensor([2], 8)}, bytes(8)),
    "no name": with_header({"": tensor([2], 8)}, bytes(8)),
    "a name without end": with_header({"a" * 100_000: tensor([2], 8)}, bytes(8)),
    "a deep header": with_header(b"[" * 200_000),
    "a zip file": npz(("a.npy", GOOD_NPY)),
    "a truncated file": save({"a": np.ones(100)})[:-1],
}
NPZ = {
    "empty": b"",
    "a safetensors file": save({"a": np.ones(3)}),
    "an .npy file": GOOD_NPY,
    "a truncated file": npz(("a.npy", GOOD_NPY))[:-30],
    "a pickled object": npz(("a.npy", of_objects())),
    "a member that is no array": npz(("archive/data.pkl", pickle.dumps(1))),
    "no magic": npz(("a.npy", b"nothing of the kind")),
    "10^15 numbers": npz(("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,), }"))),
    "sizes whose product overflows": npz(
        ("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }"))
    ),
    "a negative size": npz(("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -1), }", bytes(8)))),
    "a size that is no number": npz(("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2.5,), }"))),
    "a header that is a program": npz(("a.npy", npy("__import__('os').abort()"))),
    "a header of brackets": npz(("a.npy", npy("(" * 100))),
    "text": npz(("a.npy", npy("{'descr': '<U2', 'fortran_order': False, 'shape': (1,), }", bytes(8)))),
    "fields": npz(("a.npy", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", bytes(4)))),
    "raw bytes": npz(("a.npy", npy("{'descr': '|V2', 'fortran_order': False, 'shape': (1,), }", bytes(2)))),
    "an unknown version": npz(("a.npy", npy("{}", version=(9, 9)))),
    "fewer numbers than said": npz(("a.npy", GOOD_NPY[:-1])),
    "more numbers than said": npz(("a.npy", GOOD_NPY + b"1234")),
    "a bomb": npz(("a.npy", ZEROS + bytes(2**27)), method=zipfile.ZIP_DEFLATED),
    "a way out": npz(("../../a.npy", GOOD_NPY)),
    "an absolute path": npz(("/etc/a.npy", GOOD_NPY)),
    "a script": npz(("<script>alert(1)</script>.npy", GOOD_NPY)),
    "a control character": npz(("a\x1b[2J\n.npy", GOOD_NPY)),
    "no name": npz((".npy", GOOD_NPY)),
    "a directory": npz(("a/", b"")),
}
HOSTILE = [
    *[pytest.param(".safetensors", data, id=f"safetensors: {name}") for name, data in SAFETENSORS.items()],
    *[pytest.param(".npz", data, id=f"npz: {name}") for name, data in NPZ.items()],
]


# the check that speaks first, where another one would refuse the file as well
SAID = {
    "a bomb": "bytes unpack to 13421[0-9]+, more than weights",
    "a pickled object": "pickled objects are never read",
    "more numbers than said": r"claims the shape '\(2,\)' of float32, but holds 12 bytes",
    "two arrays of one name": "two arrays named 'a'",
    "a script": "named '<script>",
}


@pytest.mark.parametrize(("suffix", "data"), HOSTILE)
def test_a_hostile_file_ends_in_one_clear_line(tmp_path, request, suffix, data):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"net\{suffix}'?: ") as caught:
        rd.interop.load(path)
    text = str(caught.value)
    assert len(text) < 600 + len(str(path))
    assert text.isprintable()  # one line, no control characters
    assert re.search(SAID.get(request.node.callspec.id.partition(": ")[2], ""), text)
    with pytest.raises(ValueError, match=re.escape(text)):
        rd.interop.from_torch(path)


def test_two_members_of_one_name(tmp_path):
    path = tmp_path / "net.npz"
    with pytest.warns(UserWarning, match="Duplicate name"):
        path.write_bytes(npz(("a.npy", GOOD_NPY), ("a.npy", GOOD_NPY)))
    with pytest.raises(ValueError, match="two arrays named 'a'"):
        rd.interop.load(path)


def test_too_many_names(tmp_path, monkeypatch):
    monkeypatch.setattr(weight_files, "MOST_NAMES", 4)
    with pytest.raises(ValueError, match="holds 5 arrays, expected at most 4"):
        rd.interop.load(written(tmp_path / "net.npz"))


def test_a_member_that_claims_to_be_small_is_not_unpacked_further(tmp_path):
    """The sizes in the directory of a zip file are only claims: no more is read than they say."""
    honest = npz(("a.npy", bytes(2**22)), method=zipfile.ZIP_DEFLATED)
    size = (2**22).to_bytes(4, "little")
    assert honest.count(size) == 2
    (tmp_path / "net.npz").write_bytes(honest.replace(size, (100).to_bytes(4, "little")))
    with pytest.raises(ValueError, match=r"net\.npz"):
        rd.interop.load(tmp_path / "net.npz")


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.safetensors")
    for name in ("folder.npz", "pipe.safetensors"):
        with pytest.raises(ValueError, match=f"{name}'?: expected a regular file"):
            rd.interop.load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"absent.npz'?: there is no such file"):
        rd.interop.load(tmp_path / "absent.npz")


def test_an_oversized_file_is_not_read(tmp_path):
    with open(tmp_path / "net.npz", "wb") as file:
        file.truncate(2**42)  # sparse: takes no space
    with pytest.raises(ValueError, match=r"has 4398046511104 bytes, expected between 1 and 4294967296"):
        rd.interop.load(tmp_path / "net.npz")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".pkl", ".npy", ".h5", ".keras", ".onnx", ""])
def test_other_formats_are_refused_unread(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(b"cos\nsystem\n(S'touch /tmp/read'\ntR.")
    with pytest.raises(ValueError, match=r"expected a \.safetensors or \.npz file") as caught:
        rd.interop.load(path)
    if suffix in (".pt", ".pth"):
        assert "can run any program" in str(caught.value)
        compile(str(caught.value).split("\n\n", 1)[1].replace("\n    ", "\n").strip(), "lines", "exec")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("corrupt")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@given(data=st.data())
def test_a_corrupted_file_gives_arrays_or_a_value_error(folder, suffix, data):
    path = written(folder / f"net{suffix}")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["change", "cut", "repeat", "insert"]))
        if kind == "change":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[at : at + data.draw(st.integers(1, 40))]
        elif kind == "repeat":
            content[at:at] = content[at : at + data.draw(st.integers(1, 40))]
        else:
            content[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        content = content or bytearray(1)
    path.write_bytes(content)
    try:
        found = rd.interop.load(path)
    except ValueError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())
