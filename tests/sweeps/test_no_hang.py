"""Every built-in measurement ends on two devices, whatever the width: a batched LAPACK call once waited for itself."""

import os

import pytest
from programs import TWO_DEVICES, output

from rnn_dynamics.measurements import MEASUREMENTS

RUNS = 20
WIDTHS = (1, 2, 8, 9, 64)


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASUREMENTS)
def test_a_measurement_ends_at_every_width(name):
    found = output("one_measurement.py", name, RUNS, *WIDTHS, environment=os.environ | TWO_DEVICES)
    assert found.split() == [str(width) for width in WIDTHS]
