"""What `help` shows of everything public: a summary, its sections, and examples that run as a user would run them."""

import inspect
import os

import pytest
from programs import output

import rnn_dynamics as rd

MODULES = ("", ".cells", ".cells.activations", ".cells.initializers", ".eigen", ".plot", ".sweeps", ".theory", ".train")
MODULES += (".diagnosis", ".fixed_points", ".interop", ".train.probes", ".train.tasks")
ALIASES = {"Step", "Penalty"}


def public():
    """Each public function and class once, by the name under which it is found first."""
    found = {}
    for module in MODULES:
        holder = rd
        for part in module.split(".")[1:]:
            holder = getattr(holder, part)
        for name in holder.__all__:
            value = getattr(holder, name)
            if name not in ALIASES and (inspect.isfunction(value) or inspect.isclass(value)):
                found.setdefault(id(value), (f"rd{module}.{name}", value))
    return list(found.values())


@pytest.mark.parametrize(("name", "value"), [pytest.param(*each, id=each[0]) for each in public()])
def test_a_docstring_has_a_summary_and_its_sections(name, value):
    text = inspect.getdoc(value)
    assert text.split("\n")[0].endswith(".")
    if inspect.isfunction(value):
        parameters = [each for each in inspect.signature(value).parameters if each != "options"]
        for parameter in parameters:
            assert f"\n    {parameter}: " in text or f"\n    *{parameter}: " in text or f"**{parameter}: " in text, (
                parameter
            )
        assert "Returns:\n" in text or value.__annotations__.get("return") is None
        assert ">>> " in text
    elif hasattr(value, "_fields"):
        for field in value._fields:
            assert f"\n    {field}: " in text, field


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module):
    # in a process of its own: float32 and JAX's defaults, as a user has them
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JAX_NUMPY")}
    assert int(output("examples.py", module, environment=environment)) > 0


@pytest.mark.parametrize("name", rd.cells.CELLS)
def test_a_cell_shows_its_equation_and_its_parameters(name):
    text = rd.cells.CELLS[name].__doc__
    assert "Initial weights" in text or "init" in text
    assert " = " in text
    assert text != rd.cells.Cell.__doc__


def test_a_cell_of_ones_own_has_the_docstring_of_a_cell():
    cell = rd.cells.Cell(lambda key: None, lambda params: None, lambda params, state, x: state)
    assert cell.__doc__ == rd.cells.Cell.__doc__
    assert "recurrent map" in cell.__doc__
