"""What the documents say is what the code does: examples run and print what stands below them, links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.slow
def test_examples_print_what_the_documents_show():
    # compiled as users do, whatever the tests are compiled with
    environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    subprocess.run([sys.executable, "docs/write_numbers.py", "--check"], cwd=ROOT, check=True, env=environment)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_exist(document):
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    for target in targets:
        assert (document.parent / target.replace("\n", "")).exists(), target
