"""The README's figure, at a tiny size."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from experiments import gradient_flow

mpl.use("Agg")


def test_five_answers_that_keep_their_order():
    config = gradient_flow.Config(hidden=8, length=60, lags=12)
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
    for axes, end in zip(figure.axes, norm[:, -1], strict=True):
        assert {r"$\rho(W)^\ell$", r"$e^{\lambda_1\ell}$"} <= {text.get_text() for text in axes.texts}
        assert np.isclose(axes.get_lines()[0].get_ydata()[-1], end / np.log(10), rtol=1e-6)
    plt.close(figure)
