"""From a network and some sequences to what is wrong with its gradients, and what to change."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array

from .. import argument
from ..cells.contract import Input, Params, State, Step
from .collect import collect
from .evidence import Evidence
from .problem import Problem, problem_of
from .remedies import REMEDIES, tried
from .result import Diagnosis, Finding, Remedy
from .rules import judge


def diagnose(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    loss: Callable[..., Any] | None = None,
    horizon: int | None = None,
    targets: Any = None,
    length: int | None = None,
    batched: bool | None = None,
    sequences: int = 16,
    remedies: bool = True,
    key: Array | None = None,
) -> Diagnosis:
    """Say what is wrong with the gradients of a network, with numbers, and what would mend it.

    It measures how far a gradient reaches, on which path, what the eigenvalue rule and the bound would have said, the
    Lyapunov exponents, gates, saturated and dead units, the first number that is not finite and, with a loss, where its
    gradient ends. A table of rules (`rd.diagnosis.RULES`) judges these numbers. A healthy network gets no finding. Each
    remedy is applied to a copy of the network and measured.

    It runs on the host and so not inside jit, vmap or grad. Equal arguments give equal
    results.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`: of a cell, of an import, or any function. Gates are
            known where step and params are those of a gated cell of `rd.cells`, or of a stack.
        params: Its parameters, any pytree.
        h0: The initial state of every sequence, a pytree without a batch axis.
        xs: The inputs: one sequence with leading axis T, or a batch with leading axes (sequences, T); None for an
            undriven net, with `length=T`.
        loss: A function of one sequence's states as `unroll` stacks them, `loss(states)`, or with targets
            `loss(states, target)`. It returns a scalar or T terms. Default: none, and nothing is said about a loss.
        horizon: How many steps back the task needs a gradient to reach. Default: unknown; then no rule asks whether the
            gradient gets there.
        targets: The target of each sequence, a pytree with as many leading axes for sequences as xs.
        length: T, needed where xs is None.
        batched: Whether xs is a batch. Default: as the step takes it, which is an error where it takes both.
        sequences: At most how many sequences to measure, the first ones. Default: 16.
        remedies: Whether to try, on copies, the remedies that the findings suggest. Default: True.
        key: A JAX random key for the remedies that draw: flossing and a gated cell. Default: none, and those are left
            out.

    Returns:
        A `Diagnosis` with `evidence`, `findings` and `remedies`. `print` shows it on one screen.

    Cost:
        For n numbers of state, T steps and B sequences: the gradient flow dominates, O(B T n³) at most, with B reduced
        where n is large, and from n in the thousands on random directions. Memory O(B T n). An LSTM with 128 units, 500
        steps and 16 sequences takes about 20 s of processor time, most of which is compilation; once compiled, 4 s.

    Example:
        >>> cell = rd.cells.linear
        >>> params = rd.cells.Affine(W=0.7 * jnp.eye(2), U=jnp.ones((2, 1)))
        >>> found = rd.diagnose(cell.step, params, jnp.zeros(2), jnp.ones((100, 1)), horizon=50, remedies=False)
        >>> [finding.rule for finding in found.findings]
        ['gradient vanishes']
        >>> found.findings[0].sentence.split(". ")[0]
        'The gradient falls to 1 % within 13 steps; the task needs 50'
    """
    remedies = argument.flag("remedies", remedies)
    key = None if key is None else argument.key(key)
    problem = problem_of(
        step,
        params,
        h0,
        xs,
        length=length,
        batched=batched,
        loss=loss,
        targets=targets,
        horizon=horizon,
        sequences=sequences,
    )
    evidence = collect(problem)
    findings = judge(evidence)
    return Diagnosis(evidence, findings, _tried(problem, evidence, findings, key) if remedies else ())


def _tried(
    problem: Problem, evidence: Evidence, findings: tuple[Finding, ...], key: Array | None
) -> tuple[Remedy, ...]:
    """Try the remedies that the findings suggest, on the steps that were measured; none if nothing could be."""
    known = {"clipping", "truncation", *(entry.name for entry in REMEDIES)}
    suggested = {name for finding in findings for name in finding.suggests} & known
    if not suggested or evidence.log_norm is None:
        return ()
    if evidence.steps < problem.steps:
        problem = problem.up_to(evidence.steps)
    return tried(
        problem.step,
        problem.params,
        problem.h0,
        problem.xs,
        horizon=problem.horizon,
        loss=problem.loss,
        targets=problem.targets,
        evidence=evidence,
        findings=findings,
        clipping=evidence.clipping,
        truncation=evidence.truncation,
        key=key,
        only=tuple(sorted(suggested)),
    )
