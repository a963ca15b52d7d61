"""The table and the JSON: a line for each row, and at the end who took how much longer than we did."""

import json
from pathlib import Path

from .driver import Found

HIDDEN = ("part", "row", "fine", "took_s", "problem", "way", "where", "error")


def line(found: Found) -> str:
    """Return a row as a line of the table."""
    if "error" in found:
        return f"{found['row']:<52} FAILED  {' '.join(str(found['error']).split())[:170]}"
    mark = {True: "fine   ", False: "WRONG  ", None: ""}[found.get("fine")]
    shown = {name: value for name, value in found.items() if name not in HIDDEN and value is not None}
    numbers = "  ".join(f"{name} {_short(value)}" for name, value in shown.items())
    return f"{found['row']:<52} {mark}{numbers}".rstrip()


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _late(found: Found) -> bool:
    return str(found.get("error", "")).startswith("not run")


def ratios(rows: list[Found]) -> list[str]:
    """Return, for each problem that several ways solved, the others' time a step over ours."""
    times: dict[str, dict[str, float]] = {}
    for found in rows:
        if "us_per_step" in found:
            times.setdefault(found["problem"], {})[found["way"]] = found["us_per_step"]
            if "cpu_us_per_step" in found and found["way"] == "ours":
                times[found["problem"]]["this machine's CPU"] = found["cpu_us_per_step"]
    lines = []
    for problem, ways in times.items():
        ours = ways.pop("ours", None)
        if ours and ways:
            lines.append(f"{problem:<40} " + "  ".join(f"{way} {other / ours:.2f}" for way, other in ways.items()))
    return ["their time over ours, on this device", *lines] if lines else []


def summary(rows: list[Found]) -> str:
    """Return in a line how many rows failed, were wrong, or were not reached."""
    late = sum(_late(found) for found in rows)
    failed = sum("error" in found for found in rows) - late
    checked = [found["fine"] for found in rows if "fine" in found]
    return (
        f"{len(rows)} rows: {len(checked)} checks, {checked.count(False)} of them wrong; {failed} rows failed; "
        f"{late} were not run"
    )


def write(folder: Path, title: str, rows: list[Found]) -> str:
    """Write `device.txt` and `device.json` in the folder, and return the table."""
    text = "\n".join([title, *map(line, rows), *ratios(rows), summary(rows)]) + "\n"
    (folder / "device.json").write_text(json.dumps({"device": title, "rows": rows}, indent=1))
    (folder / "device.txt").write_text(text)
    return text


def short_table(title: str, rows: list[Found]) -> str:
    """Return the table without the checks that are fine and the rows that were not run, which are counted instead."""
    checks = [found for found in rows if "difference" in found]
    fine = [found for found in checks if found["fine"]]
    counted = [f"{len(checks)} measurements against the CPU, {len(fine)} fine"] if checks else []
    for kind in ("float32", "float64"):
        some = [found for found in fine if found["row"].endswith(kind)]
        if some:
            worst = max(some, key=lambda found: found["difference"])
            counted.append(f"largest relative difference in {kind}: {worst['difference']:.1e}, {worst['row']}")
    others = [line(found) for found in rows if found not in fine and not _late(found)]
    return "\n".join([title, *counted, *others, *ratios(rows), summary(rows)]) + "\n"
