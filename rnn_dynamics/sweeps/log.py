"""The logger of sweeps. Its messages contain text from stores, so control characters in them are escaped."""

import logging

from .terminal_text import printable


def _escaped(record: logging.LogRecord) -> bool:
    record.msg, record.args = printable(record.getMessage()), ()
    return True


log = logging.getLogger("rnn_dynamics.sweeps")
log.addFilter(_escaped)
