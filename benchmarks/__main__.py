"""Run every benchmark that its packages are there for, and write the tables to docs/benchmarks.md.

    python -m benchmarks [HEADING]

Only the section under HEADING (this machine's devices, if none is given) is replaced; tables of other machines stay.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
TITLE = "# Benchmarks\n\nWritten by `make bench`: ratios from one run each; what they mean stands in the files named.\n"


def tables() -> str:
    """The output of all benchmarks as Markdown."""
    names = ["gradient_flow", "sweep"]
    if importlib.util.find_spec("torch"):
        names += ["pytorch", "lyapunov"]
    parts = []
    for name in names:
        # each in a process of its own: the number of CPU devices is settled when JAX starts
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        parts.append(f"`benchmarks/{name}.py`\n\n```\n{output}```\n")
        print(parts[-1], flush=True)
    return "\n".join(parts)


def main() -> None:
    """Replace this machine's section."""
    heading = " ".join(sys.argv[1:])
    from .timing import machine

    heading = heading or machine().split(",")[0]
    old = PAGE.read_text() if PAGE.exists() else TITLE
    title, *sections = old.split("\n## ")
    others = [section for section in sections if section.split("\n")[0] != heading]
    new = f"{heading}\n\n{tables()}"
    PAGE.write_text("\n## ".join([title.rstrip() + "\n", *(s.rstrip() + "\n" for s in [*others, new])]))


if __name__ == "__main__":
    main()
