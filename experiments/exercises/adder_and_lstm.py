"""A binary adder whose gradient is zero wherever it exists, and an LSTM whose memory passes its gradient on.

The adder's equations are in `adder.py`, the backward rules of the LSTM with one unit in `scalar_lstm.py`. For f ≈ 1,
i ≈ 0, o ≈ 0 the gradient passes through c unchanged, but hardly any of it passes through h or reaches the weights.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rnn_dynamics as rd

from ..figure import Output
from . import adder
from . import scalar_lstm as lstm
from .report import Report, Row, present

SLOPES = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Config(Output):
    """Numbers of `bits` bits, a surrogate of slope β; LSTMs over T steps, and over T_long with gate biases ± bias."""

    bits: int = 6
    slope: float = 8.0
    T: int = 5
    T_long: int = 1000
    bias: float = 15.0
    seed: int = 0


def by_hand(c: Config) -> dict[str, Any]:
    """Compute the adder's equations and the document's backward rules in numpy."""
    hard = adder.by_hand(c.bits, lambda z: np.where(z > 0, 1.0, 0.0), 1.0)
    short, long = lstm.problem(c.seed, c.T, 0.0), lstm.problem(c.seed, c.T_long, c.bias)
    nothing, last = np.zeros(c.T_long), np.eye(c.T_long)[-1]
    of_c, of_h = lstm.backward(long, nothing, 1.0), lstm.backward(long, last, 0.0)
    return {
        **adder_rows(c, hard, adder.by_hand(c.bits, adder.logistic, c.slope)),
        **lstm_rows(lstm.backward(short, lstm.forward(short)[0][1:] - short.y, 0.0)),
        **long_rows(np.prod(lstm.forward(long)[2][1:, 1]), np.array([[of_h.h[0], of_h.c[0]], [of_c.h[0], of_c.c[0]]])),
    }


def by_toolkit(c: Config) -> dict[str, Any]:
    """Compute the same with the cells, by reverse mode through their unrolled steps and from step Jacobians."""
    y, norm = adder.by_toolkit(c.bits, rd.cells.threshold, rd.cells.activations.heaviside, 1.0, adder.B)
    Js = lstm.jacobians(lstm.problem(c.seed, c.T_long, c.bias))
    return {
        **adder_rows(c, (np.asarray(y), float(norm)), adder.surrogate(c.bits, c.slope)),
        **lstm_rows(lstm.passed_by_toolkit(lstm.problem(c.seed, c.T, 0.0))),
        **long_rows(np.prod(Js[:, 1, 1]), lstm.over_lags(Js)[-1]),  # ∂c_t/∂c_{t-1} at fixed h_{t-1} is f_t
    }


def adder_rows(c: Config, hard: tuple[np.ndarray, float], smooth: tuple[np.ndarray, float]) -> dict[str, Any]:
    """Return the table's rows on outputs and gradient norms."""
    return {
        f"wrong sums of {4**c.bits}": adder.wrong(c.bits, hard[0]),
        "largest sum": (hard[0] @ 2.0 ** np.arange(c.bits + 1)).max(),
        "‖∂L/∂(W, U, b)‖ of the adder": hard[1],
        f"wrong sums at β = {c.slope:g}": adder.wrong(c.bits, smooth[0]),
        f"‖∂L/∂(W, U, b)‖ at β = {c.slope:g}": smooth[1],
    }


def lstm_rows(passed: lstm.Passed) -> dict[str, Any]:
    """Return the table's rows on the backward rules, in the document's order."""
    gates = dict(zip("ifgo", passed.gates.T, strict=True))
    return {
        "∂L/∂h_t, t = 0 .. T": passed.h,
        "∂L/∂c_t, t = 0 .. T": passed.c,
        **{f"∂L/∂{name}_t, t = 1 .. T": gates[name] for name in "gofi"},
        "∂L/∂w_ix": passed.w_ix,
    }


def long_rows(product: Any, block: np.ndarray) -> dict[str, Any]:
    """Return the table's rows on f ≈ 1, i ≈ 0, o ≈ 0 over T_long steps."""
    (hh, hc), (ch, cc) = block
    return {"∂c_T/∂c_0 ≈ f_1 ··· f_T": product, "∂c_T/∂c_0": cc, "∂c_T/∂h_0": ch, "∂h_T/∂c_0": hc, "∂h_T/∂h_0": hh}


def run(config: Config = Config()) -> Report:
    """Compute every quantity of the exercise, by hand and by the toolkit."""
    with jax.enable_x64(True):
        hand, tool = by_hand(config), by_toolkit(config)
        cancelled = abs(hand["∂c_T/∂h_0"] / tool["∂c_T/∂h_0"] - 1)
        return Report(
            title="Binary adder and the backward rules of an LSTM (document 003)",
            rows=[Row(name, hand[name], tool[name]) for name in hand],
            errata=vanishing_errata(config),
            findings=[
                offset_finding(config),
                *slope_findings(config),
                *memory_findings(config),
                "the document's f(1 - f) loses digits to cancellation for f ≈ 1: ∂c_T/∂h_0 by hand has a relative "
                f"difference of {cancelled:.1e} from the toolkit's, which computes σ′ from e^-|z|",
            ],
        )


def offset_finding(c: Config) -> str:
    """State how the adder does with the offsets of the document's text."""
    b, heaviside = np.array([0.0, -1.0, -2.0]), rd.cells.activations.heaviside
    hard = adder.wrong(c.bits, adder.by_toolkit(c.bits, rd.cells.threshold, heaviside, 1.0, b)[0])
    smooth, intended = (adder.wrong(c.bits, adder.surrogate(c.bits, c.slope, each)[0]) for each in (b, adder.B))
    return (
        f"1. the text offsets S by -i + 1, the parameters by -i + ½. b = (0, -1, -2) also adds, with {hard} wrong, but "
        f"S = i - 1 then lies on the jump, where H has no derivative: the surrogate of slope β = {c.slope:g} has "
        f"{smooth} wrong with the text's offsets and {intended} with those of the parameters"
    )


def vanishing_errata(c: Config) -> list[str]:
    """State where 2(c) claims more than it shows, with numbers for L = c_T."""
    passed = lstm.backward(lstm.problem(c.seed, c.T_long, c.bias), np.zeros(c.T_long), 1.0)
    (hh, _), (ch, _) = lstm.over_lags(lstm.jacobians(lstm.problem(c.seed, c.T_long, c.bias)))[-1]
    return [
        "2(c) ḡ, ō, f̄ and ī can vanish even if c̄ and h̄ do not: ḡ = c̄ i vanishes with i alone. For L = c_T every c̄ is "
        f"at least {passed.c.min():.5f} and every |ḡ| at most {np.abs(passed.gates[:, 2]).max():.1e}",
        "2(c) the claim that no gradient can vanish holds only for the path through c. h̄ ≈ 0, shown just before, is a "
        f"vanished gradient: over {c.T_long} steps |∂c_T/∂h_0| = {abs(ch):.1e} and |∂h_T/∂h_0| = {abs(hh):.1e}",
    ]


def slope_findings(c: Config) -> list[str]:
    """Report the surrogate's errors and gradient at each slope."""
    measured = [(slope, *adder.surrogate(c.bits, slope)) for slope in SLOPES]
    table = "; ".join(f"β = {slope:g}: {adder.wrong(c.bits, y)} and {norm:.2g}" for slope, y, norm in measured)
    margins: list[float] = []

    def recording(z: np.ndarray) -> np.ndarray:
        margins.append(float(np.abs(z).min()))
        return np.where(z > 0, 1.0, 0.0)

    adder.by_hand(c.bits, recording, 1.0)
    return [
        f"no unit's argument comes closer than {min(margins):g} to the jump of H, so the gradient is 0 at the adder "
        "and in a neighbourhood of it",
        f"wrong sums of {4**c.bits} and ‖∂L/∂(W, U, b)‖ of the surrogate: {table}. Once it is steep "
        "enough to add, a steeper slope leaves less gradient to descend",
    ]


def memory_findings(c: Config) -> list[str]:
    """Report how well the approximation of 2(c) holds over T_long steps."""
    closed, ajar = (lstm.problem(c.seed, c.T_long, bias) for bias in (c.bias, c.bias / 3))
    Js = lstm.jacobians(closed)
    lags, leak = lstm.over_lags(Js), 1 - lstm.forward(ajar)[2][1:, 1].mean()
    left = lstm.over_lags(lstm.jacobians(ajar))[-1, 1, 1]
    return [
        f"gate biases ±{c.bias:g}: ∂c_T/∂c_0 differs by {abs(lags[-1, 1, 1] - np.prod(Js[:, 1, 1])):.1e} from Π f_t, "
        "the path that never leaves c",
        f"h loses its gradient once, not at every step: |∂c_T/∂h_(T-ℓ)| is {abs(lags[1, 1, 0]):.1e} at ℓ = 1 and "
        f"{abs(lags[-1, 1, 0]):.1e} at ℓ = {c.T_long}, because what enters c stays in it",
        f"c̄_t ≈ c̄_(t+1) holds over T steps only if T(1 - f) ≪ 1: with biases ±{c.bias / 3:g} the mean of 1 - f is "
        f"{leak:.4f}, and ∂c_T/∂c_0 = {left:.4f} after {c.T_long} steps",
    ]


def draw(config: Config = Config()) -> Figure:
    """Draw the surrogate's errors and gradient over its slope (left), and the LSTM's gradient over the lag (right)."""
    with jax.enable_x64(True):
        figure, axes = plt.subplot_mosaic([["wrong", "lags"], ["gradient", "lags"]], figsize=(10, 4.4))
        draw_surrogate(axes["wrong"], axes["gradient"], config)
        draw_lags(axes["lags"], config)
    return figure


def draw_surrogate(above: Axes, below: Axes, c: Config) -> None:
    """Plot wrong sums and the norm of the gradient over the slope."""
    slopes = np.geomspace(1, 64, 49)
    outputs, norms = zip(*(adder.surrogate(c.bits, float(slope)) for slope in slopes), strict=True)
    above.plot(slopes, [adder.wrong(c.bits, y) for y in outputs])
    above.set(ylabel=f"wrong sums of {4**c.bits}", title="Adder: a smooth surrogate also adds, if steep enough ...")
    below.semilogy(slopes, norms, color="C1")
    below.set(xlabel=r"slope $\beta$ of the surrogate", ylabel=r"$\Vert\partial L\,/\,\partial (W, U, b)\Vert$")
    below.set_title("... but steeper than that, it has less and less gradient")
    below.text(1, norms[-1], "hard threshold: exactly 0", color="C1")
    for axis in (above, below):
        axis.set_xscale("log", base=2)
        axis.set_xticks((1, *SLOPES), [f"{slope:g}" for slope in (1, *SLOPES)])
    above.figure.align_ylabels([above, below])


def draw_lags(axis: Axes, c: Config) -> None:
    """Plot ∂c_T/∂c_{T-ℓ} for three sets of gate biases, and ∂c_T/∂h_{T-ℓ} for the first of them."""
    lags = np.arange(1, c.T_long + 1)
    for bias, x, y in ((c.bias, 1.1, 2.0), (c.bias / 3, 45.0, 0.01), (0.0, 1.1, 0.01)):
        blocks = np.abs(lstm.over_lags(lstm.jacobians(lstm.problem(c.seed, c.T_long, bias)))[1:, 1])
        (line,) = axis.loglog(lags, blocks[:, 1])
        axis.text(x, y, f"gate biases ±{bias:g}" if bias else "gate biases 0", color=line.get_color())
        if bias == c.bias:  # it jumps with the input from step to step, so a few lags are clearer than all
            few = np.unique(np.geomspace(1, c.T_long, 40).astype(int)) - 1
            axis.loglog(lags[few], blocks[few, 0], ".", color=line.get_color())
            path = r"$|\partial c_T\,/\,\partial h_{T-\ell}|$"
            axis.text(1.1, 3e-9, f"{path}, gate biases ±{bias:g}", color=line.get_color())
    axis.set(xlabel=r"lag $\ell$ (steps)", ylabel=r"$|\partial c_T\,/\,\partial c_{T-\ell}|$", ylim=(1e-10, 20))
    axis.set_title("LSTM: c keeps the gradient where f is close to 1; h does not")


def main() -> None:
    """Print the table and draw the figure."""
    present(sys.modules[__name__], tyro.cli(Config))


if __name__ == "__main__":
    main()
