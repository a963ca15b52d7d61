"""LAPACK's threads are limited when they are first needed, and not when the user has set their number."""

import os

import pytest
from programs import output


def threads(when: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    return output("lapack_threads.py", when, environment=kept | environment).strip()


@pytest.mark.slow
def test_one_thread_unless_the_environment_says_otherwise():
    before = threads("at once")
    if before:  # SciPy's own OpenBLAS, as in its wheels
        assert threads("measured") == "1"
        assert threads("measured", OPENBLAS_NUM_THREADS="2") == threads("at once", OPENBLAS_NUM_THREADS="2")
