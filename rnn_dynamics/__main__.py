"""Run `python -m rnn_dynamics`; `command_line.py` has its commands."""

import logging
import os
import sys
from pathlib import Path

import jax

from .command_line import main


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs in the user's cache folder, unless the environment names another place.

    This also sets the environment variables, for workers that are started later.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for name, value in (
        ("compilation_cache_dir", str(caches / "rnn_dynamics")),
        ("persistent_cache_min_compile_time_secs", 0.1),
    ):
        os.environ[f"JAX_{name.upper()}"] = str(value)
        jax.config.update(f"jax_{name}", value)


def silence_false_alarms() -> None:
    """Silence the error that JAX 0.9 logs for each kept program, although this same processor compiled it."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # for workers that are started later
    jax.config.update("jax_logging_level", "CRITICAL")
    logging.getLogger("jax").setLevel(logging.WARNING)  # warnings of JAX's Python code are still printed


def console() -> int:
    """Run the command line: the entry point of the script `rnn-dynamics`."""
    keep_compiled_programs()
    silence_false_alarms()
    return main()


if __name__ == "__main__":  # workers import this file again
    sys.exit(console())
