"""Run every benchmark that its packages are there for, and write the tables to docs/benchmarks.md.

    python -m benchmarks [HEADING]

Only the section under HEADING (this machine's devices, if none is given) is replaced; tables of other machines stay.
"""

import contextlib
import importlib.util
import io
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
TITLE = "# Benchmarks\n\nWritten by `make bench`: ratios from one run each; what they mean stands in the files named.\n"


def tables() -> str:
    """The output of all benchmarks as Markdown."""
    from . import gradient_flow

    mains = {"gradient_flow": gradient_flow.main}
    if importlib.util.find_spec("torch"):
        from . import lyapunov, pytorch

        mains |= {"pytorch": pytorch.main, "lyapunov": lyapunov.main}
    parts = []
    for name, main in mains.items():
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            main()
        parts.append(f"`benchmarks/{name}.py`\n\n```\n{output.getvalue()}```\n")
        print(parts[-1], flush=True)
    return "\n".join(parts)


def main() -> None:
    """Replace this machine's section."""
    heading = " ".join(sys.argv[1:])
    sys.argv = sys.argv[:1]
    from .timing import machine

    heading = heading or machine().split(",")[0]
    old = PAGE.read_text() if PAGE.exists() else TITLE
    title, *sections = old.split("\n## ")
    others = [section for section in sections if section.split("\n")[0] != heading]
    new = f"{heading}\n\n{tables()}"
    PAGE.write_text("\n## ".join([title.rstrip() + "\n", *(s.rstrip() + "\n" for s in [*others, new])]))


if __name__ == "__main__":
    main()
