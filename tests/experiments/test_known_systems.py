"""The experiment `known_systems`, mostly on a small package in the place of dysts."""

import json
import sys

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from experiments import __main__ as every
from experiments import known_systems as experiment
from experiments import known_systems_checks as checks
from experiments import known_systems_equations as equations
from experiments import known_systems_page as page

mpl.use("Agg")

FLOWS = '''
"""Flows in the way that dysts writes them."""
import numpy as np
from .base import DynSys, DynSysDelay, staticjit

class Lorenz(DynSys):
    @staticjit
    def _rhs(x, y, z, t, beta, rho, sigma):
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

class Spiral(DynSys):
    def rhs(self, X, t):
        change = np.zeros_like(X)
        change[0] = self.rate * X[0] - 2 * X[1]
        change[1] = 2 * X[0] + self.rate * X[1]
        return change

class Circle(DynSys):
    def pull(self, r):
        return max(0, 1 - r**2) + min(0, 1 - r**2)
    def rhs(self, X, t):
        x, y = X
        r = np.sqrt(x**2 + y**2)
        return x * self.pull(r) - y, y * self.pull(r) + x

class Escape(DynSys):
    @staticjit
    def _rhs(x, t):
        return x**2

class Clock(DynSys):
    @staticjit
    def _rhs(x, t):
        return np.cos(t) - x

class Late(DynSysDelay):
    @staticjit
    def _rhs(x, xt, t):
        return -xt
'''
MAPS = """
import numpy as np
from .base import DynMap, staticjit
from scipy.optimize import fsolve

class Henon(DynMap):
    @staticjit
    def _rhs(x, y, a, b):
        return 1 - a * x**2 + y, b * x

class Doubling(DynMap):
    @staticjit
    def _rhs(x, y, a):
        return (3 * x) % 0.99999995, a * y + np.cos(x) - x // 1

class BlinkingVortexMap(DynMap):
    pass
"""


def flow(initial, params=None, **more):
    entry = {"initial_conditions": initial, "parameters": params or {}, "period": 1.5, "delay": False}
    return entry | {"nonautonomous": False, "kaplan_yorke_dimension": None} | more


CONTINUOUS = {
    "Lorenz": flow(
        [1.0, 2.0, 20.0],
        {"sigma": 10, "rho": 28, "beta": 8 / 3},
        lyapunov_spectrum_estimated=[0.9, 0.0, -14.6],
        kaplan_yorke_dimension=2.06,
    ),
    "Spiral": flow([1.0, 0.0], {"rate": -0.1}, lyapunov_spectrum_estimated=None),
    "Circle": flow([0.5, 0.0]),
    "Escape": flow([1.0]),
    "Clock": flow([0.0]),
    "Late": flow([0.0] * 10, delay=True),
}
DISCRETE = {
    "Henon": {"initial_conditions": [0.1, 0.1], "parameters": {"a": 1.4, "b": 0.3}},
    "Doubling": {"initial_conditions": [0.1, 0.1], "parameters": {"a": 0.2}},
    "BlinkingVortexMap": {"initial_conditions": [0.1, 0.1], "parameters": {}},
    "Lost": {"initial_conditions": [0.1], "parameters": {}},
}


@pytest.fixture
def as_users_have_it():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture
def small_dysts(tmp_path, monkeypatch, as_users_have_it):
    package = tmp_path / "dysts"
    (package / "data").mkdir(parents=True)
    texts = {"__init__.py": "", "flows.py": FLOWS, "maps.py": MAPS}
    texts |= {"data/chaotic_attractors.json": json.dumps(CONTINUOUS), "data/discrete_maps.json": json.dumps(DISCRETE)}
    for name, text in texts.items():
        (package / name).write_text(text)
    monkeypatch.delitem(sys.modules, "dysts", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(page, "version", lambda name: "0")
    equations.read.cache_clear()
    yield
    sys.modules.pop("dysts", None)
    equations.read.cache_clear()


def test_equations_are_those_that_numpy_evaluates(small_dysts):
    systems, left_out = equations.read()
    assert list(systems) == ["Lorenz", "Spiral", "Circle", "Escape", "Henon", "Doubling"]
    assert set(left_out) == {"Late", "Clock", "BlinkingVortexMap", "Lost"}
    assert "time" in left_out["Clock"]
    agree_with_numpy(systems)


def agree_with_numpy(systems):
    """Compare values with the same text run by NumPy, and derivatives with differences."""
    originals = equations.classes("flows", np) | {
        f"{name} map" if name in equations.classes("flows", np) else name: of
        for name, of in equations.classes("maps", np).items()
    }
    rng = np.random.default_rng(0)
    for name, of in systems.items():
        X = of.initial + 0.01 * rng.normal(size=of.initial.shape)

        def original(X, name=name, of=of):
            return np.asarray(originals[name](of.params).rhs(X.copy(), 0.0), np.float64).reshape(X.shape)

        found, jacobian = (
            function(of.params, jnp.asarray(X), 0.0) for function in (of.equations, jax.jacfwd(of.equations, argnums=1))
        )
        np.testing.assert_allclose(found, original(X), rtol=1e-10, atol=1e-12, err_msg=name)
        steps = 1e-6 * np.maximum(np.abs(X), 1e-3)
        numeric = np.stack([(original(X + d) - original(X - d)) / (2 * d.sum()) for d in np.diag(steps)], axis=1)
        np.testing.assert_allclose(jacobian, numeric, rtol=1e-4, atol=1e-5 * np.abs(numeric).max(), err_msg=name)


def test_known_answers_pass_the_checks_and_others_fail_them(small_dysts, tmp_path):
    names = ("Lorenz", "Spiral", "Escape", "Henon", "Doubling")
    config = experiment.Config(systems=names, periods=60, steps=100, settle=40, workers=1, store=tmp_path)
    dataset = checks.checked(experiment.run(config))
    of = {name: dataset.sel(system=name) for name in dataset.system.values}
    np.testing.assert_allclose(of["Lorenz"].exponents[:3], [0.906, 0, -14.57], atol=0.1)
    np.testing.assert_allclose(of["Lorenz"].rate, -41 / 3)
    np.testing.assert_allclose(of["Henon"].exponents[:2].sum(), np.log(0.3))
    np.testing.assert_allclose(of["Spiral"].exponents[:2], -0.1, atol=1e-6)
    np.testing.assert_allclose(of["Doubling"].exponents[:2], [np.log(3), np.log(0.2)], rtol=1e-4)
    assert of["Lorenz"].dimension == pytest.approx(2.06, abs=0.02)
    assert of["Spiral"].dimension == 0
    failed = checks.fails(dataset)
    failed.pop("Lorenz", None)  # the limit is for 500 periods
    assert of["Lorenz"].zero < checks.ENDS / config.periods
    assert of["Lorenz"]["sum"] < checks.CHECKS["sum"].limit
    assert failed == {"Spiral": ["zero"], "Escape": ["not finite"]}

    figure = experiment.draw(dataset)
    assert len(figure.axes) == 4
    assert " of 2 below" in figure.axes[1].get_title(loc="left") + figure.axes[1].get_title()
    plt.close(figure)
    xarray.testing.assert_identical(dataset, checks.checked(experiment.run(config)))  # read from the store
    text = page.page(dataset, equations.read()[1], {"Spiral": "it rests"})
    assert "| Spiral | zero | it rests |" in text
    assert "| Escape | not finite | not explained |" in text
    assert "| Late | it has a delay |" in text


def test_a_larger_difference_than_the_errors_is_seen(small_dysts):
    config = experiment.Config(systems=("Circle",), periods=60, steps=50, settle=20, workers=1)
    dataset = experiment.run(config)
    right = checks.checked(dataset).sel(system="Circle")
    np.testing.assert_allclose(right.exponents[:2], [0, -2], atol=1e-5)
    assert right.dimension == 1
    assert right.twice < 1
    dataset["fine_exponents"] = dataset.fine_exponents + 1.0
    assert checks.checked(dataset).twice > checks.CHECKS["twice"].limit
    dataset["rate"] = dataset.rate + 0.1
    assert checks.fails(checks.checked(dataset)) == {"Circle": ["sum", "twice"]}


def test_without_dysts_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(equations, "available", lambda: False)
    with pytest.raises(SystemExit, match=r"pip install 'rnn_dynamics\[bench\]'"):
        equations.classes("flows")


def test_all_figures_are_drawn_without_dysts(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(every, "find_spec", lambda name: None)
    monkeypatch.setattr(every, "PAGE", tmp_path / "README.md")
    monkeypatch.setattr(every.sys, "argv", ["experiments"])
    monkeypatch.setattr(every.subprocess, "run", lambda command, **_: drawn.append(command[-1]))
    every.main()
    assert drawn == [f"experiments.{name}" for name in every.EXPERIMENTS if name != "known_systems"]


@pytest.mark.parametrize(
    ("value", "error", "text"), [(0.90612, 0.0141, "0.906 ± 0.014"), (2.0, 0.0, "2.000000 ± 0.000000")]
)
def test_numbers_have_the_digits_of_their_errors(value, error, text):
    assert page.with_error(value, error) == text


@pytest.mark.slow
def test_all_systems_of_dysts_are_traced_as_numpy_evaluates_them(as_users_have_it):
    pytest.importorskip("dysts", reason="dysts holds the equations: pip install 'rnn_dynamics[bench]'")
    equations.read.cache_clear()
    systems, left_out = equations.read()
    assert len(systems) + len(left_out) == 161
    kinked = {"Baker", "KaplanYorke"}  # a difference across a jump is no derivative
    agree_with_numpy({name: of for name, of in systems.items() if name not in kinked})


@pytest.mark.slow
def test_lorenz_of_dysts(as_users_have_it):
    pytest.importorskip("dysts", reason="dysts holds the equations: pip install 'rnn_dynamics[bench]'")
    config = experiment.Config(systems=("Lorenz", "Rossler"), workers=1)
    dataset = checks.checked(experiment.run(config))
    assert checks.fails(dataset) == {}
    lorenz, rossler = dataset.exponents.values[:, :3]
    np.testing.assert_allclose(lorenz, [0.906, 0, -14.573], atol=0.03)
    np.testing.assert_allclose(rossler, [0.0714, 0, -5.394], atol=0.02)
