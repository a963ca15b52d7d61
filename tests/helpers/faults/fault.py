"""What a planted fault is."""

from typing import NamedTuple


class Fault(NamedTuple):
    """A text that stands once in a file, what takes its place, and the tests that should see it.

    name   what it is called on the command line
    file   within rnn_dynamics, or beside it: ../experiments/NAME.py
    old    the text, and
    new    the fault
    tests  within tests: as few as see it, by file and name
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
