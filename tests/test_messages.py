"""What a user reads who passes nonsense. Run without the type checker of the tests, which would answer first."""

import os

from programs import output


def test_messages_name_argument_value_and_remedy():
    assert output("messages.py").startswith("all said")


def test_messages_of_functions_of_a_matrix():
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    assert output("messages_of_eigen.py", environment=environment) == "all said 15\n"
