"""`python -m rnn_dynamics`: see `command_line.py`."""

import sys

from .command_line import main

if __name__ == "__main__":  # workers import this file again
    sys.exit(main())
