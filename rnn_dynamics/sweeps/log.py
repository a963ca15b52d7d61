"""The logger of sweeps: its messages hold words from stores, so all of them are made printable."""

import logging

from .terminal_text import printable


def _escaped(record: logging.LogRecord) -> bool:
    record.msg, record.args = printable(record.getMessage()), ()
    return True


log = logging.getLogger("rnn_dynamics.sweeps")
log.addFilter(_escaped)
