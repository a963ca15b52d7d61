"""The script for a borrowed accelerator: a row that raises, crashes or hangs costs only itself."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.device import __main__ as script
from benchmarks.device import driver, report
from benchmarks.device.rows import parts
from benchmarks.device.worker import parts_of

HELPERS = Path(__file__).parent / "helpers"


@pytest.fixture
def found_by(monkeypatch):
    """A function that runs the rows of a source in tests/helpers and returns what was found."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")]))

    def found(source, seconds=60.0):
        rows = []
        plan = driver.Plan(source, True, time.monotonic() + seconds, rows.append)
        for name, part in parts_of(source, True).items():
            driver.run(plan, name, part, list(range(len(part.rows))))
        return rows

    return found


def test_a_row_that_raises_crashes_or_hangs_costs_only_itself(found_by, tmp_path):
    begun = time.monotonic()
    rows = found_by("device_rows:parts")
    assert time.monotonic() - begun < 40
    one = {found["row"]: found for found in rows}
    assert [*one][:6] == ["first", "raises", "crashes", "hangs", "talks", "last"]
    assert "ValueError: this row is wrong" in one["raises"]["error"]
    assert "code 7: a kernel was killed" in one["crashes"]["error"]
    assert "no end after" in one["hangs"]["error"]
    assert one["last"]["fine"]
    text = report.write(tmp_path, "a device", rows)
    assert "8 rows: 3 checks, 1 of them wrong; 3 rows failed; 0 were not run" in text
    assert "theirs 3.00" in text
    assert len(json.loads((tmp_path / "device.json").read_text())["rows"]) == 8
    assert "WRONG" in report.short_table("a device", rows)


def test_rows_for_which_no_time_is_left_are_named(found_by):
    one, other = found_by("device_rows:slow", seconds=1.0)
    assert "no end after" in one["error"]
    assert other["error"] == "not run: no time was left"


def test_each_row_has_its_own_name():
    for small in (True, False):
        names = [row.name for part in parts(small).values() for row in part.rows]
        assert len(names) > 80
        assert len(names) == len(set(names))


def test_wheels_are_unpacked_for_the_rows(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "carried-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried/__init__.py", "answer = 42\n")
    for name in ("PYTHONPATH", "JAX_COMPILATION_CACHE_DIR", "XLA_PYTHON_CLIENT_PREALLOCATE", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    script.environment(str(tmp_path / "work"), tmp_path)
    command = [sys.executable, "-c", "import carried; print(carried.answer)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "42\n"


def test_a_table_replaces_its_own_and_keeps_the_rest(tmp_path):
    place = tmp_path / "benchmarks.md"
    page.write_part("1 × card", "device", "old\n", place)
    page.write_part("2 × cpu", "sweep", "a sweep\n", place)
    place.write_text(place.read_text().replace("old\n```\n", "old\n```\n\nWhat it says.\n"))
    page.write_part("1 × card", "device", "new\n", place)
    text = place.read_text()
    assert "`benchmarks/device`\n\n```\nnew\n```\n\nWhat it says.\n\n## 2 × cpu\n" in text
    assert "`benchmarks/sweep.py`\n\n```\na sweep\n```\n" in text
    assert "old" not in text


@pytest.mark.slow
def test_a_rehearsal_runs_every_row(tmp_path):
    """Only rows for which a package is missing may fail."""
    words = ["--rehearse", "--seconds", "1500", "--patience", "10", "--out", str(tmp_path)]
    subprocess.run(
        [sys.executable, "-m", "benchmarks.device", *words],
        check=True,
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.DEVNULL,
    )
    rows = json.loads((tmp_path / "device.json").read_text())["rows"]
    assert len(rows) == sum(len(part.rows) for part in parts(True).values())
    assert [found["row"] for found in rows if found.get("fine") is False] == []
    failed = {found["row"]: found["error"] for found in rows if "error" in found}
    assert {row: error for row, error in failed.items() if "No module named 'torch'" not in error} == {}
