"""Why some systems of `known_systems` fail a check: for each a sentence, with numbers that are computed for it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .known_systems_checks import CHECKS
from .known_systems_equations import System, classes, equations_of, read
from .known_systems_measure import FINER, Plan, Run, spectrum, walker

Numbers = dict[str, Any]


class Cause(NamedTuple):
    """A sentence with gaps, and the function of the system and its measured values that computes what fills them."""

    text: str
    numbers: Callable[[System, Numbers, Plan], Numbers]


def explain(name: str, found: Numbers, plan: Plan) -> str:
    """Return the explanation of one system."""
    text, numbers = CAUSES[name]
    return text.format(**numbers(read()[0][name], found, plan))


def measure(of: System, steps: int, periods: int, plan: Plan) -> Run:
    """Measure a system with another number of steps in a period, or over other periods."""
    assert of.period is not None
    walk, params = walker(of), (jnp.asarray(of.period / steps), of.params)
    begin = walk(params, jnp.asarray(of.initial), plan.settle * steps).end
    return spectrum(of, walk, params, begin, periods * steps, plan.turn * steps)


def coarse(of: System, found: Numbers, plan: Plan) -> Numbers:
    """Measure with the default steps, and say in words what fails."""
    assert of.period is not None
    run = measure(of, plan.steps, plan.periods, plan)
    n = len(of.initial)
    contraction = float(np.abs(found["exponents"][:n]).max()) * of.period / plan.steps
    if not np.isfinite(run.exponents).all():
        what = "the trajectory leaves the range of numbers"
    else:
        zero = np.abs(run.exponents).min() * of.period
        gap = abs(run.residual + run.volume - run.rate) / np.abs(run.exponents).sum()
        failed = [f"the smallest exponent is {zero:.2g} nats per period"] if zero > CHECKS["zero"].limit else []
        failed += [f"Σλ misses the mean divergence by {gap:.1g} of Σ abs(λ)"] if gap > CHECKS["sum"].limit else []
        off = np.abs(run.exponents - found["exponents"][:n]) * of.period
        what = " and ".join(failed or [f"the exponents differ by up to {off.max():.2g} nats per period"])
    return {"what": what, "contraction": contraction, "default": plan.steps, "steps": FINER[of.name]}


def halved(of: System, found: Numbers, plan: Plan) -> Numbers:
    """Compare the sum rule with that of half the time step."""

    def gap(prefix: str) -> float:
        apart = abs(found[f"{prefix}residual"] + found[f"{prefix}volume"] - found[f"{prefix}rate"])
        return float(apart / np.nansum(np.abs(found[f"{prefix}exponents"])))

    def zero(prefix: str) -> float:
        return float(np.nanmin(np.abs(found[f"{prefix}exponents"])) * of.period)

    return {"before": gap(""), "after": gap("fine_"), "zero": zero(""), "zero_after": zero("fine_")}


def as_found(of: System, found: Numbers, plan: Plan) -> Numbers:
    """Return what was measured, as plain numbers."""
    return {key: float(value) for key, value in found.items() if np.ndim(value) == 0 and key != "cause"}


def rest(of: System, found: Numbers, plan: Plan) -> Numbers:
    """Follow the trajectory to where it rests, and compute the eigenvalues of the Jacobian there."""
    assert of.period is not None
    walk, params = walker(of), (jnp.asarray(of.period / plan.steps), of.params)
    end = walk(params, jnp.asarray(of.initial), plan.settle * plan.steps).end
    jacobian = jax.jacfwd(of.equations, argnums=1)(of.params, end, 0.0)
    parts = np.sort(np.linalg.eigvals(np.asarray(jacobian)).real)[::-1]
    return {
        "speed": float(jnp.linalg.norm(of.equations(of.params, end, 0.0))),
        "eigenvalues": ", ".join(f"{part:.4f}" for part in parts),
        "exponents": ", ".join(f"{value:.4f}" for value in found["exponents"][: len(parts)]),
    }


def longer(of: System, found: Numbers, plan: Plan, times: int = 4) -> Numbers:
    """Measure over more periods."""
    assert of.period is not None
    run = measure(of, int(found["steps"]), times * plan.periods, plan)
    before = np.abs(found["exponents"][: len(of.initial)]).min() * of.period
    after = np.abs(run.exponents).min() * of.period
    return {"periods": times * plan.periods, "before": before, "after": after}


def smoothed(of: System, found: Numbers, plan: Plan, width: float = 0.02, periods: int = 100) -> Numbers:
    """Measure with tanh(x/width) for sign(x), and its like for the unit step, with 16 times the steps."""
    assert of.period is not None
    smooth = classes("flows", sign=lambda x: jnp.tanh(x / width), heaviside=lambda x, _: (1 + jnp.tanh(x / width)) / 2)
    run = measure(of._replace(equations=equations_of(smooth[of.name])), 16 * plan.steps, periods, plan)
    first = f"{run.exponents[0]:.3f} ± {run.stderr[0]:.3f}"
    ours = f"{found['exponents'][0]:.3f} ± {found['stderr'][0]:.3f}"
    return {"width": width, "first": first, "ours": ours, "published": f"{found['published'][0]:.3f}"}


def energy(of: System, found: Numbers, plan: Plan) -> Numbers:
    """Compare the equations of the double pendulum with the derivatives of its energy, at the published state."""

    def hamiltonian(X: jax.Array) -> jax.Array:
        first, second, p1, p2 = X
        l1, l2, m1, m2, g = (of.params[name] for name in ("l1", "l2", "m1", "m2", "g"))
        kinetic = m2 * l2**2 * p1**2 + (m1 + m2) * l1**2 * p2**2 - 2 * m2 * l1 * l2 * p1 * p2 * jnp.cos(first - second)
        kinetic /= 2 * m2 * l1**2 * l2**2 * (m1 + m2 * jnp.sin(first - second) ** 2)
        return kinetic - (m1 + m2) * g * l1 * jnp.cos(first) - m2 * g * l2 * jnp.cos(second)

    X = jnp.asarray(of.initial)
    slope, written = jax.grad(hamiltonian)(X), of.equations(of.params, X, 0.0)
    return {
        "angles": float(jnp.abs(written[:2] - slope[2:]).max()),
        "momenta": float(jnp.abs(written[2:] + slope[:2]).max()),
        "divergence": float(jnp.trace(jax.jacfwd(of.equations, argnums=1)(of.params, X, 0.0))),
    }


STIFF = (
    "Its fastest changes are short for the published period: a step of 1/{default} of it contracts by "
    "{contraction:.2g} nats on average, and {what}. It is measured with {steps} steps."
)
KINKS = (
    "RK4 loses its order where a step crosses a kink of the right-hand side: with {default} steps {what}. "
    "It is measured with {steps} steps."
)
SWITCHES = (
    "It switches between two flows in a small part of a period, which RK4 does not resolve: Σλ misses the mean "
    "divergence by {before:.1g} of Σ abs(λ), and by {after:.1g} with half the time step."
)
JUMPS = (
    "Its right-hand side jumps. A trajectory that crosses the jump is stretched there, which no derivative sees, so "
    "exponents from derivatives can be wrong: λ₁ is {ours} here, {first} with the jump smoothed over a width of "
    "{width:g}, and {published} as published."
)
POLE = (
    "Its variables are polar coordinates, whose rates are divided by r. Where it passes the pole its speed rises to "
    "{fastest:.0e} from a lowest of {slowest:.1g}, and few steps decide the mean divergence: it is {rate:.2g} in the "
    "first half of the time and {again_rate:.2g} in the second, while ln abs(det J) of the steps gives {volume:.2g} "
    "and {again_volume:.2g}."
)
STILL = (
    " There Σλ still misses it by {before:.1g}, and the smallest exponent is {zero:.1g} nats per period; with half the "
    "time step they are {after:.1g} and {zero_after:.1g}."
)
SLOW = (
    "Two exponents are near 0 and mix for long: the smallest falls from {before:.2g} nats per period to {after:.2g} "
    "over {periods} periods."
)

CAUSES = {
    "AtmosphericRegime": Cause(STIFF, coarse),
    "BelousovZhabotinsky": Cause(STIFF, coarse),
    "CellCycle": Cause(STIFF, coarse),
    "CoevolvingPredatorPrey": Cause(STIFF, coarse),
    "ForcedVanDerPol": Cause(STIFF, coarse),
    "JerkCircuit": Cause(STIFF, coarse),
    "MacArthur": Cause(STIFF + STILL, lambda *given: coarse(*given) | halved(*given)),
    "WindmiReduced": Cause(STIFF, coarse),
    "CellularNeuralNetwork": Cause(KINKS, coarse),
    "Colpitts": Cause(KINKS, coarse),
    "BlinkingVortex": Cause(SWITCHES, halved),
    "InteriorSquirmer": Cause(POLE, as_found),
    "HyperCai": Cause(SLOW, longer),
    "NuclearQuadrupole": Cause(SLOW, longer),
    "PanXuZhou": Cause(
        "It comes to rest: the speed falls to {speed:.0e}, where the eigenvalues of the Jacobian have the real parts "
        "{eigenvalues}, and the exponents are {exponents}. So the published exponents are those of a transient or of "
        "another state.",
        rest,
    ),
    "SprottMore": Cause(JUMPS, smoothed),
    "FluidTrampoline": Cause(JUMPS, smoothed),
    "StickSlipOscillator": Cause(JUMPS, smoothed),
    "DoublePendulum": Cause(
        "A pendulum without friction has no divergence, but these equations have {divergence:.2g} at the published "
        "state. There the rates of the angles are the derivatives of the energy, within {angles:.0e}, but those of the "
        "momenta are off by {momenta:.2g}.",
        energy,
    ),
}
