"""Run the benchmarks named, or every one that its packages are there for, and write their tables to docs/benchmarks.md.

    python -m benchmarks [first_call] [gradient_flow] [sweep] [pytorch] [lyapunov] [training]

Only the tables of this machine's devices that were run are replaced; the others stay.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
NAMES = ("first_call", "gradient_flow", "sweep", "pytorch", "lyapunov", "training")
NEED_TORCH = ("pytorch", "lyapunov", "training")
TITLE = "# Benchmarks\n\nWritten by `make bench`: ratios from one run each; what they mean stands in the files named.\n"
PART = re.compile(r"`benchmarks/(\w+)\.py`\n\n```\n.*?```\n", re.DOTALL)


def run(name: str) -> str:
    """The output of a benchmark as Markdown; in a process of its own, since JAX settles its devices when it starts."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(output, flush=True)
    return f"`benchmarks/{name}.py`\n\n```\n{output}```\n"


def heading_of_this_machine() -> str:
    """Its devices; asked in another process, since an accelerator that this one holds has no room for the others."""
    code = "from benchmarks.timing import machine; print(machine().split(',')[0])"
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main() -> None:
    """Replace the tables that were run in this machine's section."""
    names = sys.argv[1:] or [name for name in NAMES if name not in NEED_TORCH or importlib.util.find_spec("torch")]
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
