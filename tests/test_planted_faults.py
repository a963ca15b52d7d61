"""The list of planted faults keeps up with the package; `planted_faults.py` plants them."""

from collections import Counter
from pathlib import Path

from faults import FAULTS

PACKAGE = Path(__file__).parent.parent / "rnn_dynamics"


def test_each_can_still_be_planted():
    stale = [fault.name for fault in FAULTS if (PACKAGE / fault.file).read_text().count(fault.old) != 1]
    assert stale == []


def test_each_has_a_name_of_its_own_and_tests_that_exist():
    assert [name for name, count in Counter(fault.name for fault in FAULTS).items() if count > 1] == []
    for fault in FAULTS:
        file, _, name = fault.tests.partition("::")  # without a name, all tests of the file
        called = f"def {name.partition('[')[0]}(" if name else "def test_"
        assert called in (PACKAGE.parent / "tests" / file).read_text(), fault
