"""The README's figure, at a tiny size."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from experiments import gradient_flow

mpl.use("Agg")


def test_measured_never_exceeds_its_bound_and_grows_with_the_gain():
    config = gradient_flow.Config(hidden=8, T=12)
    curves = gradient_flow.run(config)
    assert curves.log_norm.shape == (3, 13)
    assert (curves.log_norm <= curves.log_bound + 1e-4).all()
    assert (np.diff(curves.log_norm[:, -1]) > 0).all()
    np.testing.assert_allclose(curves.radius / np.array(config.gains), curves.radius[0] / 0.5, rtol=1e-5)
    figure = gradient_flow.draw(curves, config)
    assert len(figure.axes) == 3
    for axes, end in zip(figure.axes, curves.log_norm[:, -1], strict=True):
        assert {text.get_text() for text in axes.texts} >= {"measured", r"$\rho(W)^\ell$"}
        np.testing.assert_allclose(axes.get_lines()[0].get_ydata()[-1], end / np.log(10), rtol=1e-6)
    plt.close(figure)
