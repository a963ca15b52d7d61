"""A maker called twice with equal arguments returns the very same Cell, however the arguments are spelt."""

import pytest

import rnn_dynamics as rd
from rnn_dynamics.cells import initializers


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rd.cells.make_elman(), rd.cells.elman),
        (rd.cells.make_elman("tanh"), rd.cells.make_elman(activation="tanh", leak=1.0)),
        (rd.cells.make_elman(leak=0.5), rd.cells.make_elman("tanh", 0.5)),
        (rd.cells.make_rate_flow(0.1), rd.cells.make_rate_flow(dt=0.1)),
        (rd.cells.make_gru("keep", "before"), rd.cells.gru),
        (rd.cells.stack(rd.cells.gru, rd.cells.lstm), rd.cells.stack(rd.cells.gru, rd.cells.lstm)),
        (initializers.make_nonnormal(2.0), initializers.make_nonnormal(strength=2)),
    ],
)
def test_equal_arguments_give_the_same_object(first, second):
    assert first is second


def test_other_arguments_give_another_cell():
    assert rd.cells.make_elman("relu") is not rd.cells.elman
    assert rd.cells.make_gru(reset="after").step is not rd.cells.gru.step


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rd.cells.make_elman("swish"), "activation: got 'swish', expected one of 'tanh'"),
        (lambda: rd.cells.make_elman(leak=0.0), r"leak: got 0.0, expected a finite number in \(0"),
        (lambda: rd.cells.make_elman(leak=1.5), r"leak: got 1.5, expected a finite number in \(0"),
        (lambda: rd.cells.make_rate(delta=-1), "delta: got -1"),
        (lambda: rd.cells.make_rate_flow(float("inf")), "dt: got inf"),
        (lambda: rd.cells.make_gru(update="forget"), "update: got 'forget', expected one of 'keep', 'replace'"),
        (lambda: rd.cells.make_gru(reset="inside"), "reset: got 'inside', expected one of 'before', 'after'"),
        (lambda: initializers.make_block(0), "blocks: got 0, expected a whole number of at least 1"),
    ],
)
def test_a_wrong_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_bool_is_not_remembered_as_a_number():
    with pytest.raises(TypeError, match="leak: got True"):
        rd.cells.make_elman(leak=True)


def test_what_cannot_be_hashed_is_refused_by_name():
    with pytest.raises(TypeError, match=r"leak: got \[0.5\], which cannot be hashed"):
        rd.cells.make_elman(leak=[0.5])
