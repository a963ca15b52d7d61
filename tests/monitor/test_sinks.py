"""What a watch sends to TensorBoard, and to what logs a dict of numbers as wandb and trackio do."""

import math
import struct

import pytest
from watched import T, healthy, vanishing, watching

import rnn_dynamics as rd


class Run:
    """Takes numbers as a run of wandb does."""

    def __init__(self):
        self.logged = []

    def log(self, data, step=None):
        self.logged.append((step, data))


def test_a_run_gets_the_numbers_of_each_record():
    run = Run()
    watch = watching(every=5, to=run)
    with pytest.warns(rd.GradientWarning):
        watch(step=0, params=vanishing(), norm=3.0, clipped=1.0)
    watch(step=5, params=healthy())
    (first, numbers), (second, later) = run.logged
    assert (first, second) == (0, 5)
    assert numbers["rnn_dynamics/log_norm/lag_10"] == pytest.approx(10 * math.log(0.6))
    assert numbers[f"rnn_dynamics/log_norm/lag_{T}"] == pytest.approx(T * math.log(0.6))
    assert numbers["rnn_dynamics/gradient_norm/norm"] == 3
    assert numbers["rnn_dynamics/gradient_norm/clipped"] == 1
    assert numbers["rnn_dynamics/finding/gradient vanishes"] == 1
    assert later["rnn_dynamics/finding/gradient vanishes"] == 0
    # no norm was passed, and NaN would be drawn
    assert "rnn_dynamics/gradient_norm/norm" not in later
    assert all(type(value) is float and math.isfinite(value) for value in {**numbers, **later}.values())


def test_tensorboard_gets_them_too(tmp_path):
    tensorboard = pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    with tensorboard.SummaryWriter(str(tmp_path)) as writer:
        watch = watching(every=5, to=[writer])
        for step in (0, 5):
            watch(step=step, params=healthy())
    found = scalars(tmp_path)
    assert found["rnn_dynamics/log_norm/lag_20", 5] == pytest.approx(T * math.log(0.99), rel=1e-6)
    assert found["rnn_dynamics/exponent", 0] == pytest.approx(watch.dataset.exponent[0].item(), rel=1e-6)


def scalars(folder):
    """Read the event files of a folder: a length, a checksum, an event and a checksum, again and again."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in folder.iterdir():
        data, place = path.read_bytes(), 0
        while place < len(data):
            (size,) = struct.unpack("<Q", data[place : place + 8])
            event = Event.FromString(data[place + 12 : place + 12 + size])
            found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
            place += size + 16
    return found


def test_a_sink_that_fails_is_warned_of_once_and_ends_nothing():
    class Full:
        def log(self, data, step=None):
            raise OSError("No space left on device")

    run = Run()
    watch = watching(to=(Full(), run))
    with pytest.warns(rd.GradientWarning, match="Full did not take the numbers: OSError: No space left on device"):
        watch(step=0, params=healthy())
    watch(step=1, params=healthy())
    assert [step for step, _ in run.logged] == [0, 1]
