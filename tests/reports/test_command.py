"""`python -m rnn_dynamics report`: from a file of weights to a page; whatever is wrong ends in one line."""

import json
import sys
import tracemalloc

import numpy as np
import pytest
from report_networks import HOSTILE
from report_networks import network as by_hand

from rnn_dynamics import command_line

T, INPUTS, HIDDEN = 12, 2, 3


@pytest.fixture(autouse=True)
def made_by_hand(monkeypatch, undrawn):
    """No measurement but those of the report itself."""
    monkeypatch.setattr(sys.modules["rnn_dynamics.reports.report"], "diagnose", lambda *a, **k: by_hand().diagnosis)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Weights of a tanh nn.RNN, inputs, and its outputs, in the current folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    shapes = {
        "weight_ih_l0": (HIDDEN, INPUTS),
        "weight_hh_l0": (HIDDEN, HIDDEN),
        "bias_ih_l0": HIDDEN,
        "bias_hh_l0": HIDDEN,
    }
    weights = {name: random.normal(size=shape).astype(np.float32) / 2 for name, shape in shapes.items()}
    xs = random.normal(size=(2, T, INPUTS)).astype(np.float32)
    h, outputs = np.zeros((2, HIDDEN)), []
    for t in range(T):
        bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
        h = np.tanh(xs[:, t] @ weights["weight_ih_l0"].T + h @ weights["weight_hh_l0"].T + bias)
        outputs.append(h)
    np.savez("net.npz", **weights)
    np.save("x.npy", xs)
    np.save("y.npy", np.stack(outputs, axis=1))
    return tmp_path


def main(*words):
    return command_line.main(["report", *map(str, words)])


def test_a_file_of_weights_becomes_a_page(files, capsys):
    given = ("net.npz", "--layout", "torch", "--inputs", "x.npy", "--horizon", 5)
    assert main(*given, "--outputs", "y.npy", "--to", "net.html") == 0
    said = capsys.readouterr().out
    assert "verified against the recorded outputs" in said
    assert "The gradient falls to 1 % in 14 steps, where the task needs 100." in said
    assert "report: net.html" in said
    assert "Verified against the recorded outputs" in (files / "net.html").read_text()
    assert main(*given) == 0
    assert "not verified" in capsys.readouterr().out
    assert "Not verified." in (files / "report.html").read_text()


def test_a_folder_of_two_networks(files, capsys):
    (files / "other.npz").write_bytes((files / "net.npz").read_bytes())
    words = ("--layout", "torch", "--inputs", "x.npy", "--against", "other.npz", "--folder", "both")
    assert main("net.npz", *words, "--against-outputs", "y.npy") == 0
    networks = json.loads((files / "both" / "report.json").read_text())["networks"]
    assert [each["name"] for each in networks] == ["net.npz", "other.npz"]
    assert [each["verification"]["how"] for each in networks] == ["none", "recorded"]
    assert not (files / "report.html").exists()


def test_of_a_bidirectional_net_the_forward_one_is_reported(files, capsys):
    weights = dict(np.load("net.npz"))
    np.savez("both.npz", **weights, **{f"{name}_reverse": array for name, array in weights.items()})
    assert main("both.npz", "--layout", "torch", "--inputs", "x.npy") == 0
    assert "the net that reads forward: not verified" in capsys.readouterr().out
    assert "the net that reads forward" in (files / "report.html").read_text()


def test_a_hostile_file_name_stays_text(files):
    name = HOSTILE.replace("/", "").replace("\n", "") + ".npz"
    (files / name).write_bytes((files / "net.npz").read_bytes())
    assert main(name, "--layout", "torch", "--inputs", "x.npy", "--against", "net.npz") == 0
    text = (files / "report.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def wrong_outputs(files):
    np.save(files / "y.npy", -np.load(files / "y.npy"))


def huge_claim(files, shape="(10000000, 100000000, 2)"):
    """A header that asks for 10^15 numbers, or for as many as its shape has."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (117 - len(header)) + b"\n"
    (files / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def test_what_a_header_claims_is_not_allocated(files, capsys):
    huge_claim(files, "(1000, 1000, 300)")
    tracemalloc.start()
    assert main("net.npz", "--layout", "torch", "--inputs", "x.npy") == 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "or damaged" in capsys.readouterr().err
    assert peak < 10**8


def pickled(files):
    np.save(files / "x.npy", np.array([{}]), allow_pickle=True)


def truncated(name):
    def cut(files):
        content = (files / name).read_bytes()
        (files / name).write_bytes(content[: len(content) // 2])

    return cut


def other_shape(files):
    np.save(files / "x.npy", np.zeros(5))


def nothing(files):
    pass


@pytest.mark.parametrize(
    ("damage", "words", "message"),
    [
        (nothing, {"--layout": "tensorflow"}, "layout: got 'tensorflow', expected one of torch"),
        (nothing, {"--against-layout": "torch"}, "against_layout, against_outputs: got one of them without --against"),
        (nothing, {"--inputs": "none.npy"}, "none.npy"),
        (nothing, {"--to": "none/r.html"}, "path: got 'none/r.html', expected a file in a folder that exists"),
        (nothing, {"weights": "net.pt"}, "expected a .safetensors or .npz file"),
        (nothing, {"weights": "none.npz"}, "there is no such file"),
        (wrong_outputs, {"--outputs": "y.npy"}, "differs from the original"),
        (huge_claim, {}, "inputs: x.npy is not a .npy file of numbers, or damaged"),
        (pickled, {}, "inputs: x.npy is not a .npy file of numbers, or damaged"),
        (truncated("x.npy"), {}, "inputs: x.npy is not a .npy file of numbers, or damaged"),
        (truncated("net.npz"), {}, "'net.npz': "),
        (
            other_shape,
            {},
            "inputs: x.npy holds float64 of shape (5,), expected numbers of shape (sequences, steps, units)",
        ),
    ],
)
def test_what_is_wrong_ends_in_one_line(files, capsys, damage, words, message):
    damage(files)
    words = {"--layout": "torch", "--inputs": "x.npy", **words}
    weights = words.pop("weights", "net.npz")
    assert main(weights, *(each for pair in words.items() for each in pair)) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    # but for the lines of code that turn a .pt file into .safetensors
    assert captured.err.count("\n") == 1 or weights.endswith(".pt")
    assert "Traceback" not in captured.err
    assert not [path for path in files.iterdir() if path.suffix == ".html"]
