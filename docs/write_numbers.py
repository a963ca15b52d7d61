"""Run the examples in the documents and write what they print below them: no number there is typed by hand.

python docs/write_numbers.py            rewrite every ```text block that follows a ```python block and "prints"
python docs/write_numbers.py --check    fail if that would change anything
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLE = re.compile(r"(```python\n(?P<code>.*?)```\n\nprints\n\n```text\n)(?P<output>.*?)(```)", re.DOTALL)


def with_output(example: re.Match[str]) -> str:
    """The example followed by what it prints when it is run."""
    result = subprocess.run(
        [sys.executable, "-c", example["code"]], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return f"{example[1]}{result.stdout}```"


def main() -> int:
    """Rewrite or check README.md and docs/*.md; 1 if a document was out of date."""
    stale = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        before = path.read_text(encoding="utf-8")
        after = EXAMPLE.sub(with_output, before)
        if after != before:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(after, encoding="utf-8")
    if stale:
        print("out of date:" if "--check" in sys.argv else "rewritten:", *stale)
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
