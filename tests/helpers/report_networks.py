"""Networks for reports, made by hand: what is in them is known, so that what is on the page can be compared."""

import numpy as np
from known_points import of_cubic

from rnn_dynamics.diagnosis.evidence import Evidence, GateStatistics
from rnn_dynamics.diagnosis.result import Diagnosis, Finding, Remedy
from rnn_dynamics.interop.imported import Verification
from rnn_dynamics.measure import LyapunovSpectrum
from rnn_dynamics.reports.network import Network, Rest

LAGS = np.arange(201)
# breaks out of texts, attributes, comments and style sheets; draws mathematics; moves a terminal's cursor
HOSTILE = "<script>alert(1)</script>\"'--></style><img src=x onerror=alert(2)>$\\frac{$\x1b[2J\u202e\n字😀"


def evidence(slope=0.35, *, name="", horizon=100, loss=True):
    """Of 8 sequences whose gradients fall by `slope` nats per step, give or take a quarter."""
    slopes = slope * np.linspace(0.75, 1.25, 8)[:, None]
    wave = 0.5 + 0.2 * np.sin(LAGS[1:] / 9)
    gates = {
        f"{name}input": GateStatistics(0.5, 0.05, 0.04, wave),
        f"{name}forget": GateStatistics(0.31, 0.42, 0.01, wave - 0.2, "keep"),
        f"{name}output": GateStatistics(0.6, 0.02, 0.1, wave + 0.1),
    }
    return Evidence(
        state_size=256,
        steps=200,
        sequences=8,
        horizon=horizon,
        lag=LAGS,
        log_norm=-slopes * LAGS,
        log_bound=np.full((8, 1), 0.05) * LAGS,
        paths={f"{name}c → c": -1.02 * slopes * LAGS - 0.1, f"{name}h → h": -2.5 * slopes * LAGS},
        exponent=-slope,
        exponent_stderr=0.004,
        exponent_doubts=0,
        exploding=0,
        spectral_radii={f"{name}forget W": 0.9, f"{name}cell W": 0.97},
        gates=gates,
        saturated={f"{name}h": 0.031, f"{name}c": 0.0},
        dead={f"{name}h": 0.0, f"{name}c": 0.0},
        log_state_gradients=-slopes * LAGS[:0:-1] if loss else None,
        gradient_norms=np.linspace(0.5, 3.0, 8),
        first_non_finite="",
        eigenvalue_rate=float(np.log(0.97)),
    )


def spectrum(first=-0.05, k=24):
    exponents = first - 0.04 * np.arange(k) ** 1.2
    reliable = np.arange(k) < k - 5
    return LyapunovSpectrum(
        exponents=exponents,
        stderr=np.full(k, 0.004),
        history=exponents[None],
        local=exponents[None],
        steps=np.array([150]),
        reliable=reliable,
        converged=reliable,
        sum_rule_residual=np.array(np.nan),
        interval=np.array(4),
        doubts=np.where(reliable, 0, 2),
        windows=1,
    )


def findings(name=""):
    return (
        Finding(
            "gradient vanishes",
            "problem",
            f"The gradient{name} falls to 1 % in 14 steps, where the task needs 100.",
            {"reach": 14.0, "log_gradient": -35.0},
            100.0,
        ),
        Finding("gate shut", "warning", f"42 % of the forget gate's values{name} are shut.", {"shut": 0.42}, 0.25),
    )


def remedies(name=""):
    before = {"log_gradient": -35.0, "exploding": 0.0, "saturated": 0.031}
    return (
        Remedy(
            "chrono",
            f"forget bias 1 → chrono(100){name}",
            "The gradient at the horizon grows to 74 %, and nothing else gets worse.",
            before,
            {"log_gradient": -0.3, "exploding": 0.0, "saturated": 0.05},
            True,
            None,
            None,
        ),
        Remedy(
            "gain",
            f"gain 1 → 1.6{name}",
            "The gradient grows, but so do twelve directions.",
            before,
            {"log_gradient": 4.1, "exploding": 12.0, "saturated": 0.38},
            False,
            None,
            None,
        ),
    )


def rest(held="the input held at its mean over the first sequence"):
    """Of h' = h + h (1 - h²) / 4 with two numbers: 4 stable points, 4 saddles of index 1, the origin of index 2."""
    angles = np.linspace(0, 30, 200)
    path = np.stack([np.cos(angles), np.sin(1.3 * angles)], axis=1)
    return Rest(of_cubic(2), 1.2 * path, held)


def network(name="LSTM, 128 units", *, verified=True, slope=0.35, hostile="", healthy=False):
    """A network whose every text ends with `hostile`."""
    verification = Verification("live", 3e-7, 1e-5) if verified else Verification("none")
    angles = np.exp(1j * np.linspace(0, 6.2, 40))
    diagnosis = Diagnosis(
        evidence(slope, name=hostile),
        () if healthy else findings(hostile),
        () if healthy else remedies(hostile),
    )
    blocks = {
        f"∂h'/∂h{hostile}": 0.8 * angles * np.linspace(0.1, 1, 40),
        f"∂c'/∂c{hostile}": np.linspace(0.2, 0.97, 40),
    }
    source = f"PyTorch LSTM, 1 layer, 128 units{hostile}"
    return Network(name + hostile, source, verification, diagnosis, spectrum(-slope), blocks, rest())
