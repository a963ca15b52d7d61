"""The smaller experiments at a tiny size, each against an answer that is known."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import rnn_dynamics as rd
from experiments import __main__ as every
from experiments import architectures, depth_and_width, gating, initialisation, saturation

mpl.use("Agg")
ROOT = Path(__file__).parent.parent.parent


def test_without_input_a_quiet_net_has_the_spectral_radius_and_noise_lowers_chaos():
    config = saturation.Config(hidden=16, gains=(0.5, 3.0, 3), strengths=(0.0, 2.0, 2), nets=2, length=150, burn_in=50)
    dataset = saturation.run(config)
    exponents = dataset.exponent.mean("repeat")
    assert (exponents.sel(gain=0.5, strength=0) < 0).all()
    assert (exponents.sel(gain=3, strength=2) < exponents.sel(gain=3, strength=0)).all()
    # without a strength the two kinds are the same nets
    np.testing.assert_allclose(saturation.edge(np.array([0.0, 0.1**0.5])), [1, 1.98607**0.5], rtol=1e-4)
    calm = exponents.sel(kind="noise").copy(data=[[0.1, -0.1], [0.1, -0.1], [0.2, 0.1]])
    assert saturation.quenched_at(calm.to_dataset(name="exponent").expand_dims("repeat"), 0.5) == 2
    assert np.isnan(saturation.quenched_at(calm.to_dataset(name="exponent").expand_dims("repeat"), 3.0))
    figure = saturation.draw(dataset)
    assert len(figure.axes) == 4  # two maps and their bars
    plt.close(figure)


@pytest.mark.slow
def test_open_gates_keep_the_gradient():
    config = gating.Config(hidden=4, gain=0.1, biases=(0.0, 4.0, 2), nets=2, length=200, lags=6)
    dataset = gating.run(config)
    # with hardly any recurrence the forget gate, which inputs move a little, is all there is
    measured = dataset.exponent.sel(cell="lstm", bias=4).values
    np.testing.assert_allclose(measured, np.log(1 / (1 + np.exp(-4))), atol=0.02)
    assert (dataset.exponent.sel(bias=4) > dataset.exponent.sel(bias=0)).all()
    assert (dataset.log_path.isel(lag=0) == 0).all()
    assert (np.abs(dataset.log_path - dataset.log_c_c).isel(lag=-1) < 0.5).all()
    assert (dataset.log_c_h.isel(lag=0) == -np.inf).all()
    figure = gating.draw(dataset, config)
    assert len(figure.axes) == 3
    plt.close(figure)


def test_at_rest_orthogonal_and_identity_are_isometries():
    config = initialisation.Config(hidden=5, depths=(1, 4), drive=0.0, nets=2)
    dataset = initialisation.run(config)
    for init in ("orthogonal", "identity"):
        values = initialisation.own_values(dataset.sel(init=init))
        assert values.sizes["index"] == 5
        np.testing.assert_allclose(values, 0, atol=1e-5)
        assert initialisation.spread(dataset.sel(init=init)) < 1e-4
    gaussian = initialisation.own_values(dataset.sel(init="Gaussian"))
    # |det Wⁿ| = |det W|ⁿ: the same net at every depth
    np.testing.assert_allclose(gaussian.sel(depth=4).sum("index"), 4 * gaussian.sel(depth=1).sum("index"), rtol=1e-4)
    assert initialisation.own_values(dataset.sel(init="LSTM")).sizes["index"] == 10
    figure = initialisation.draw(dataset)
    titles = [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes]
    assert [title.split(":")[0] for title in titles] == list(initialisation.INITS)
    plt.close(figure)


@pytest.mark.slow
def test_a_quiet_stack_has_the_largest_radius_of_its_layers():
    config = depth_and_width.Config(
        widths=(4, 8), gains=(0.3, 0.6, 2), layers=(1, 2), layer_width=4, nets=2, length=600, burn_in=300
    )
    dataset = depth_and_width.run(config)
    for net in range(2):
        for_params = rd.cells.stack(rd.cells.elman, rd.cells.elman).init
        key = depth_and_width.jax.random.split(depth_and_width.jax.random.key(net), 3)[0]
        layers = for_params(key, inputs=1, hidden=4, gain=0.6)
        expected = max(np.log(np.abs(np.linalg.eigvals(layer.W))).max() for layer in layers)
        np.testing.assert_allclose(dataset.deep.sel(layers=2, gain=0.6).isel(net=net), expected, atol=0.02)
    curves = depth_and_width.xarray.DataArray(
        [[-1.0, 1.0, 2.0], [-2.0, -1.0, -1.0], [1.0, 1.0, 1.0]], dims=("net", "gain"), coords={"gain": [1.0, 2.0, 4.0]}
    )
    np.testing.assert_allclose(depth_and_width.edges(curves), [1, 2**0.5, np.inf])
    assert depth_and_width.middle(np.array([1.0, 2.0, np.inf, np.inf])) == 2
    figure = depth_and_width.draw(dataset.assign(edge=dataset.edge + 0.5))
    assert "2 layers" in {text.get_text() for text in figure.axes[2].texts}
    plt.close(figure)


def test_cells_in_the_order_of_their_exponents():
    config = architectures.Config(cells=("elman", "linear"), hidden=6, nets=2, length=200, lags=10)
    dataset = architectures.run(config)
    assert list(dataset.cell.values) == ["linear", "elman"]
    assert dataset.numbers.sel(cell="elman").values.tolist() == [48, 48]  # 6² + 6 + 6
    assert (dataset.log_norm.isel(lag=0) == 0).all()
    figure = architectures.draw(dataset)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["linear", "elman"]
    plt.close(figure)


def test_every_figure_is_listed_and_small():
    page = (ROOT / "figures" / "README.md").read_text()
    for path in (ROOT / "figures").glob("*.png"):
        assert f"]({path.name})" in page
        assert path.stem in every.EXPERIMENTS
    assert all(path.stat().st_size < 400_000 for path in (ROOT / "figures").rglob("*.png"))


def test_figures_that_nobody_draws(monkeypatch):
    monkeypatch.setattr(every.sys, "argv", ["experiments", "nonsense"])
    with pytest.raises(SystemExit, match="got nonsense, expected some of"):
        every.main()
