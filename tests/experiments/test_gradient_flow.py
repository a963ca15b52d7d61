"""The README's figure, at a tiny size."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from experiments import gradient_flow

mpl.use("Agg")


@pytest.mark.slow
def test_five_answers_that_keep_their_order():
    config = gradient_flow.Config(hidden=8, length=600, lags=12)
    dataset = gradient_flow.run(config)
    norm, bound, gradient = (dataset[name].values for name in ("log_norm", "log_bound", "log_gradient"))
    assert norm.shape == (3, 13)
    assert (norm <= bound + 1e-4).all()
    # one direction grows no more than the direction that grows most
    assert gradient.shape == (3, 12)
    assert (gradient[:, 0] == 0).all()
    assert (gradient <= norm[:, :-1] + 1e-4).all()
    assert (np.diff(norm[:, -1]) > 0).all()
    assert (np.diff(dataset.exponent) > 0).all()
    gains = np.array(config.gains)
    np.testing.assert_allclose(dataset.radius / gains, dataset.radius[0] / gains[0], rtol=1e-5)
    figure = gradient_flow.draw(dataset)
    assert len(figure.axes) == 3
    first = figure.axes[0]
    assert (first.get_title(loc="left") + first.get_title()).startswith("tanh, g = 0.5: gradients vanish")
    for axes, end in zip(figure.axes, norm[:, -1], strict=True):
        assert {r"$\rho(W)^\ell$", r"$e^{\lambda_1\ell}$"} <= {text.get_text() for text in axes.texts}
        assert np.isclose(axes.get_lines()[0].get_ydata()[-1], end / np.log(10), rtol=1e-6)
    plt.close(figure)


def test_a_fate_needs_two_standard_errors_and_one_over_the_length():
    names = {"exponent": [-0.00434, -0.02, 0.02, 0.02], "stderr": [0.00191, 0.002, 0.002, 0.02]}
    dataset = xarray.Dataset(
        {name: ("gain", values) for name, values in names.items()}, {"gain": np.arange(4.0)}, {"measured": 1500}
    ).assign(reliable=("gain", np.ones(4)))
    fates = [gradient_flow.fate_of(dataset, gain) for gain in dataset.gain.values]
    assert fates == [gradient_flow.FATES[0], gradient_flow.FATES[-1], gradient_flow.FATES[1], "undecided"]


def test_no_steps_before_the_lags():
    with pytest.raises(ValueError, match="lags: got 40, expected at least 1 and fewer than length = 40"):
        gradient_flow.Config(lags=40, length=40)


@pytest.mark.slow
def test_an_lstm_at_a_chosen_gain():
    dataset = gradient_flow.run(gradient_flow.Config(cell="lstm", gains=(0.5,), hidden=6, length=300, lags=10))
    assert (dataset.log_norm <= dataset.log_bound + 1e-4).all()
    assert dataset.exponent < 0
    plt.close(gradient_flow.draw(dataset))
    with pytest.raises(ValueError, match="cell: got 'mgu', expected one of linear, elman, gru, lstm"):
        gradient_flow.Config(cell="mgu")
