"""Run some rows in this process, and print what each finds as a line of JSON.

python -m benchmarks.device.worker MODULE:FUNCTION PART (small|full) NUMBER...
"""

import importlib
import json
import sys
import time
import traceback
from typing import Any

from .driver import Found, Part


def parts_of(source: str, small: bool) -> dict[str, Part]:
    """Return the parts that a function named as `module:function` makes."""
    module, name = source.split(":")
    made: dict[str, Part] = getattr(importlib.import_module(module), name)(small)
    return made


def outcome(row: Any) -> Found:
    """Return what a row finds, or its error; never raise."""
    begun = time.perf_counter()
    try:
        found = dict(row.call())
    except Exception as error:
        found = {"error": f"{type(error).__name__}: {error}"[:600], "where": traceback.format_exc()[-1500:]}
    return found | {"took_s": time.perf_counter() - begun}


def main() -> None:
    """Run the rows named on the command line."""
    source, part, size, *numbers = sys.argv[1:]
    rows = parts_of(source, size == "small")[part].rows
    print("{}", flush=True)  # everything is imported
    for number in map(int, numbers):
        print("\n" + json.dumps(outcome(rows[number])), flush=True)


if __name__ == "__main__":
    main()
