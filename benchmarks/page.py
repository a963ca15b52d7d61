"""docs/benchmarks.md: a section for each machine's devices, and in it the table of each benchmark."""

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
NAMES = (
    "first_call",
    "gradient_flow",
    "windows",
    "spectra_in_windows",
    "sweep",
    "pytorch",
    "lyapunov",
    "training",
    "own_network",
    "watch",
    "fixed_points",
    "device",
    "tests",
)
TITLE = "# Benchmarks\n\nWritten by `make bench`: each table has the ratios of one run. The named files explain them.\n"
PART = re.compile(r"`benchmarks/(\w+)(?:\.py)?`\n\n```\n.*?```\n", re.DOTALL)


def write_part(heading: str, name: str, output: str, page: Path = PAGE) -> None:
    """Replace the table of one benchmark in the section with this heading; keep all others and the text after them."""
    title, *sections = (page.read_text() if page.exists() else TITLE).split("\n## ")
    texts = {section.split("\n")[0]: section for section in sections}
    section = texts.get(heading, heading)
    parts = {found[1]: found[0] for found in PART.finditer(section)}
    rest = PART.sub("", section.removeprefix(heading)).strip()
    file = name if (Path(__file__).parent / name).is_dir() else f"{name}.py"
    parts[name] = f"`benchmarks/{file}`\n\n```\n{output}```\n"
    known = sorted(parts, key=lambda each: NAMES.index(each) if each in NAMES else len(NAMES))
    texts[heading] = "\n".join([f"{heading}\n", *(parts[each] for each in known), *([f"{rest}\n"] if rest else [])])
    page.write_text("\n## ".join([title.rstrip() + "\n", *(text.rstrip() + "\n" for text in texts.values())]))
