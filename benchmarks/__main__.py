"""Run the named benchmarks, or all whose packages are installed, and write their tables to docs/benchmarks.md.

    python -m benchmarks [first_call] [gradient_flow] [windows] [sweep] [pytorch] [lyapunov] [training] [tests]

`tests` takes half an hour and runs only when it is named. Only the tables of the benchmarks that ran are replaced, in
the section for this machine's devices.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
NAMES = ("first_call", "gradient_flow", "windows", "sweep", "pytorch", "lyapunov", "training", "tests")
NEED_TORCH = ("pytorch", "lyapunov", "training")
TITLE = "# Benchmarks\n\nWritten by `make bench`: each table has the ratios of one run. The named files explain them.\n"
PART = re.compile(r"`benchmarks/(\w+)\.py`\n\n```\n.*?```\n", re.DOTALL)


def run(name: str) -> str:
    """Run a benchmark in its own process, since JAX fixes its devices at start, and return its output as Markdown."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(output, flush=True)
    return f"`benchmarks/{name}.py`\n\n```\n{output}```\n"


def heading_of_this_machine() -> str:
    """Return this machine's devices, asked in another process so that this one holds no accelerator memory."""
    code = "from benchmarks.timing import machine; print(machine().split(',')[0])"
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main() -> None:
    """Run the benchmarks and replace their tables in this machine's section."""
    usual = [name for name in NAMES if name != "tests"]
    names = sys.argv[1:] or [name for name in usual if name not in NEED_TORCH or importlib.util.find_spec("torch")]
    if not set(names) <= set(NAMES):
        raise SystemExit(f"benchmarks: got {names}, expected some of {', '.join(NAMES)}")
    heading = heading_of_this_machine()
    title, *sections = (PAGE.read_text() if PAGE.exists() else TITLE).split("\n## ")
    texts = {section.split("\n")[0]: section for section in sections}
    parts = {found[1]: found[0] for found in PART.finditer(texts.get(heading, ""))}
    for name in names:
        parts[name] = run(name)
        texts[heading] = f"{heading}\n\n" + "\n".join(parts[each] for each in NAMES if each in parts)
        PAGE.write_text("\n## ".join([title.rstrip() + "\n", *(text.rstrip() + "\n" for text in texts.values())]))


if __name__ == "__main__":
    main()
