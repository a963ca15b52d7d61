"""The figure of the spectra, at a tiny size."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from experiments import spectra

mpl.use("Agg")


def test_lu_and_qr_agree_where_both_are_sure_and_eigenvalues_of_w_are_too_high():
    config = spectra.Config(gains=(3.0, 12.0), hidden=10, T=100, burn_in=20, snapshots=100)
    found = spectra.run(config)
    weak, strong = found
    for at in found:
        assert at.by_lu.exponents.dtype == np.float32
        assert at.of_jacobians.shape == (100, 10)
        sure = at.by_lu.reliable & at.by_qr.reliable
        np.testing.assert_allclose(at.by_lu.exponents[sure], at.by_qr.exponents[sure], atol=0.02)
        assert np.log(np.abs(at.of_W[0])) > at.by_lu.exponents[0]
    assert weak.by_lu.reliable.all()
    assert strong.by_lu.reliable.all()
    assert 0 < strong.by_qr.reliable.sum() < 10
    np.testing.assert_allclose(np.abs(strong.of_W), 4 * np.abs(weak.of_W), rtol=1e-4)
    # whatever each of them says, their sum is that of the exponents
    np.testing.assert_allclose(spectra.log_moduli(weak.of_jacobians).sum(), weak.by_lu.exponents.sum(), rtol=1e-3)

    figure = spectra.draw(found, config)
    assert len(figure.axes) == 4
    for axes, at in zip(figure.axes[::2], found, strict=True):
        labels = [text.get_text() for text in axes.texts]
        assert {"QR every step", "LU frames"} <= {*labels}
        assert f"{(~at.by_qr.reliable).sum()} of 10 exponents by QR" in axes.get_title(loc="left") + axes.get_title()
    plt.close(figure)
