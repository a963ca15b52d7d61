"""`python -m rnn_dynamics`: see `command_line.py`."""

import os
import sys
from pathlib import Path

import jax

from .command_line import main


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs in the user's cache folder, unless the environment names another place.

    The environment is set as well, for workers that are started later.
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


if __name__ == "__main__":  # workers import this file again
    keep_compiled_programs()
    sys.exit(main())
