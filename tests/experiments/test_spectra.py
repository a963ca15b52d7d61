"""The figure of the spectra, at a tiny size."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from experiments import spectra

mpl.use("Agg")


def test_lu_and_qr_agree_where_both_are_sure_and_eigenvalues_of_w_are_too_high():
    config = spectra.Config(gains=(3.0, 12.0), hidden=10, T=100, burn_in=20, snapshots=100)
    dataset = spectra.run(config)
    assert dict(dataset.sizes) == {"gain": 2, "decomposition": 2, "index": 10, "segment": 10, "snapshot": 100}
    assert dataset.exponents.dtype == np.float32
    weak, strong = (dataset.sel(gain=gain) for gain in config.gains)
    for at in (weak, strong):
        by_lu, by_qr = (spectra.spectrum_of(at, method) for method in spectra.METHODS)
        sure = by_lu.reliable & by_qr.reliable
        np.testing.assert_allclose(by_lu.exponents[sure], by_qr.exponents[sure], atol=0.02)
        assert np.log(np.abs(at.of_W[0])) > by_lu.exponents[0]
    assert dataset.reliable.sel(decomposition="LU").all()
    assert 0 < strong.reliable.sel(decomposition="QR").sum() < 10
    np.testing.assert_allclose(np.abs(strong.of_W), 4 * np.abs(weak.of_W), rtol=1e-4)
    # whatever each of them says, their sum is that of the exponents
    np.testing.assert_allclose(
        spectra.log_moduli(weak.of_jacobians.values).sum(), weak.exponents.sel(decomposition="LU").sum(), rtol=1e-3
    )

    figure = spectra.draw(dataset)
    assert len(figure.axes) == 4
    for axes, at in zip(figure.axes[::2], (weak, strong), strict=True):
        doubted = int((~at.reliable.sel(decomposition="QR")).sum())
        labels = [text.get_text() for text in axes.texts]
        assert {"QR every step", "LU frames"} <= {*labels}
        assert f"{doubted} of 10 exponents by QR" in axes.get_title(loc="left") + axes.get_title()
    plt.close(figure)
