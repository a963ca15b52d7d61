"""The shape of the house: which folder may import which, and what `import rnn_dynamics` costs."""

import ast
import subprocess
import sys
import types
from pathlib import Path

import jax
import pytest
from programs import output

import rnn_dynamics as rd

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "rnn_dynamics"
# the folders of the package that each folder may import, as in docs/architecture.md
MAY_IMPORT = {
    "cells": set(),
    "machinery": {"cells"},
    "measure": {"cells", "machinery"},
    "fixed_points": {"cells", "machinery", "measure"},
    "theory": set(),
    "train": {"cells", "machinery", "measure"},
    "sweeps": set(),
    "plot": {"measure", "fixed_points"},
    "interop": {"cells"},
    "diagnosis": {"cells", "machinery", "measure", "train"},
    "monitor": {"cells", "diagnosis", "interop", "machinery", "measure"},
    "reports": {"cells", "fixed_points", "machinery", "measure", "diagnosis", "interop", "plot", "sweeps"},
}
MODULES = {"cells", "diagnosis", "eigen", "fixed_points", "interop", "plot", "sweeps", "theory", "train"}
# files beside the folders that all of them may import
COMMON = {"argument"}
# the files of a folder that others may import from, where not all of them are
DOORS = {
    ("machinery", "cells"): {"contract"},
    ("measure", "cells"): {"contract"},
    ("fixed_points", "cells"): {"contract"},
    ("reports", "cells"): {"contract"},
    ("reports", "machinery"): {"state_vector"},
    ("reports", "sweeps"): {"terminal_text"},
}


def imports_of(path: Path) -> list[tuple[str, ...]]:
    """Absolute dotted paths of all that a file of the package imports from the package."""
    here = path.relative_to(ROOT).parent.parts
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            found += [(*module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
    return [name for name in found if name[0] == PACKAGE.name]


def upward_imports(files: list[Path]) -> list[str]:
    faults = []
    for path in files:
        folder = path.relative_to(PACKAGE).parts[0]
        for _, target, *rest in imports_of(path):
            allowed = DOORS.get((folder, target))
            if target not in {folder} | COMMON and (
                target not in MAY_IMPORT[folder] or (allowed and not {*rest} & allowed)
            ):
                faults.append(f"{path.relative_to(ROOT)} imports {'.'.join([target, *rest])}")
    return faults


def test_no_import_runs_upward():
    files = [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE]
    assert len(files) > 15
    assert upward_imports(files) == []


def test_an_upward_import_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path / "rnn_dynamics")
    for folder, line in (
        ("cells", "from ..measure import unroll"),
        ("measure", "from ..cells.gru import gru"),
        ("theory", "import rnn_dynamics.measure.unroll"),
    ):
        path = tmp_path / "rnn_dynamics" / folder / "fault.py"
        path.parent.mkdir(parents=True)
        path.write_text(line)
        assert len(upward_imports([path])) == 1
    path.write_text("from . import bounds")
    assert upward_imports([path]) == []


def test_import_is_cheap_and_changes_no_setting():
    code = (
        "import jax, sys; before = jax.config.values.copy(); import rnn_dynamics; "
        "assert jax.config.values == before; print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"matplotlib", "xarray", "zarr", "tyro", "tqdm", "optax", "pandas", "scipy", "flax", "equinox", "torch"}
    assert "rnn_dynamics" in loaded
    assert heavy.isdisjoint(loaded)


def test_measuring_and_training_need_no_package_of_sweeps_or_of_the_command_line():
    """As on a borrowed machine, which has JAX and optax but not all that this package depends on."""
    assert output("without_extras.py").split() == ["2.0", "1", "zarr"]


def test_public_names_of_the_contract():
    for name in ("linear", "elman", "rate", "gru", "lstm", "threshold"):
        assert rd.cells.CELLS[name] is getattr(rd.cells, name)
    for name in rd.__all__:
        found = getattr(rd, name)
        # a function is not hidden by the module of the same name
        assert isinstance(found, types.ModuleType) == (name in MODULES), name


PUBLIC = [
    rd,
    rd.cells,
    rd.cells.activations,
    rd.cells.initializers,
    rd.diagnosis,
    rd.eigen,
    rd.fixed_points,
    rd.interop,
    rd.plot,
    rd.sweeps,
    rd.theory,
    rd.train,
    rd.train.probes,
    rd.train.tasks,
]


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_a_module_lists_what_is_public_and_nothing_else(module):
    assert dir(module) == sorted(module.__all__)


def test_plot_and_train_are_listed_before_they_are_imported():
    code = "import rnn_dynamics as rd, sys; print({'plot', 'train'} <= {*dir(rd)}, 'optax' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found == "True False\n"


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_everything_public_says_what_it_is(module):
    assert len(module.__all__) > 2
    for name in module.__all__:
        if name not in ("Penalty", "Step"):  # aliases of types, which carry no docstring
            assert getattr(module, name).__doc__, name


def bodies():
    """Each function of the package: where it is, how many lines its body has, and the first of them."""
    for path in sorted(PACKAGE.rglob("*.py")):
        lines = path.read_text().splitlines()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None and len(node.body) > 1
                start = node.body[0].end_lineno if documented else node.body[0].lineno - 1
                end = node.body[-1].end_lineno
                yield f"{path.relative_to(ROOT)}: {node.name}", end - start, lines[start].strip()


def test_a_long_function_gives_its_reason_in_its_first_comment():
    found = list(bodies())
    assert len(found) > 500
    assert [name for name, size, first in found if size > 40 and not first.startswith("#")] == []


def test_the_excluded_jax_is_not_in_use():
    assert not jax.__version__.startswith("0.10.")
