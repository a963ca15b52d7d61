"""Every measurement inside shard_map, where JAX sums the gradients of all devices if an array is marked wrongly."""

import os

import pytest
from programs import TWO_DEVICES, output


@pytest.mark.slow
def test_measurements_work_inside_shard_map():
    assert output("inside_shard_map.py", environment=os.environ | TWO_DEVICES) == "sharded over 2\n"
