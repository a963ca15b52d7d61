"""The smaller experiments at a tiny size, each against an answer that is known."""

import io
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

import rnn_dynamics as rd
from experiments import __main__ as every
from experiments import architectures, depth_and_width, gating, initialisation, saturation

mpl.use("Agg")
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_without_input_a_quiet_net_has_the_spectral_radius_and_noise_lowers_chaos():
    config = saturation.Config(hidden=16, gains=(0.5, 3.0, 3), strengths=(0.0, 2.0, 2), nets=2, length=150, burn_in=50)
    dataset = saturation.run(config)
    exponents = dataset.exponent.mean("repeat")
    assert (exponents.sel(gain=0.5, strength=0) < 0).all()
    assert (exponents.sel(gain=3, strength=2) < exponents.sel(gain=3, strength=0)).all()
    # without a strength the two kinds are the same nets
    np.testing.assert_allclose(saturation.edge(np.array([0.0, 0.1**0.5])), [1, 1.98607**0.5], rtol=1e-4)
    # the sign of a mean is known beyond twice its standard error over the nets and 1/T
    errors = dataset.exponent.std("repeat", ddof=1) / np.sqrt(2)
    known = np.abs(dataset["mean"]) > 2 * errors + 1 / 150
    np.testing.assert_array_equal(np.abs(dataset.fate) == 1, known)
    figure = saturation.draw(dataset)
    assert len(figure.axes) == 4  # two maps and their bars
    for axes, kind in zip(figure.axes, saturation.KINDS, strict=False):
        (dots,) = [line for line in axes.get_lines() if line.get_label() == "_unknown"]
        assert len(dots.get_xdata()) == (~known.sel(kind=kind)).sum()
    plt.close(figure)


def test_what_is_said_of_a_gain():
    fates = xarray.DataArray(
        [[1, 1, 0, -1], [1, np.nan, 1, np.nan], [0, 0, 0, 0]],
        dims=("gain", "strength"),
        coords={"gain": [1.0, 2.0, 3.0], "strength": [0.0, 0.5, 1.0, 1.5]},
        name="fate",
    ).to_dataset()
    said = [saturation.said_of(fates, gain) for gain in (1, 2, 3)]
    assert said[0] == r"at g = 1: $\lambda_1$ > 0 up to s = 0.5, < 0 from 1.5 on"
    assert said[1] == r"at g = 2: $\lambda_1$ > 0 up to s = 1.0"
    edges = [saturation.edge_between(fates.gain.values, np.array(column)) for column in ([-1, np.nan, 1], [0, 0, -1])]
    assert edges == ["1.00 to 3.00", "3.00 to > 3"]
    assert said[2] == r"at g = 3: sign of $\lambda_1$ unknown"


@pytest.mark.parametrize(("name", "value"), [("strengths", (-1.0, 1.0, 3)), ("gains", (0.0, 1.0, 3))])
def test_a_standard_deviation_is_not_negative(name, value):
    with pytest.raises(ValueError, match=f"{name}: got"):
        saturation.Config(**{name: value})


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
    figure = gating.draw(dataset)
    assert len(figure.axes) == 3
    plt.close(figure)


def test_a_time_constant_is_that_of_the_median_exponent_where_most_are_known():
    np.testing.assert_array_equal(gating.times_of(np.array([-0.5, 0.0, 0.2, np.nan])), [2, np.inf, np.inf, np.nan])
    exponents, fates = [[-0.1, -0.1, 0.2], [0.1, 0.2, 0.2], [0.3, 0.4, -0.2]], [[-1, 0, 1], [1, np.nan, 1], [1, 1, -1]]
    nets = xarray.Dataset({"exponent": (("repeat", "bias"), exponents), "fate": (("repeat", "bias"), fates)})
    # medians .1, .2, .2: that one net's gradient fades gives no memory of ten steps; the second is one of few known
    np.testing.assert_array_equal(gating.known_times(nets), [np.inf, np.nan, np.inf])
    fading = nets.assign(exponent=-nets.exponent)
    fading["fate"] = -fading.fate
    np.testing.assert_allclose(gating.known_times(fading), [10, np.nan, 5])


@pytest.mark.slow
def test_at_rest_orthogonal_and_identity_are_isometries():
    config = initialisation.Config(hidden=5, depths=(1, 4), drive=0.0, nets=2)
    dataset = initialisation.run(config)
    for init in ("orthogonal", "identity"):
        values = initialisation.own_values(dataset.sel(init=init))
        assert values.sizes["index"] == 5
        np.testing.assert_allclose(values, 0, atol=1e-5)
        assert initialisation.spread(dataset.sel(init=init)) < 1e-4
        assert initialisation.kept(dataset.sel(init=init)) == 1
    assert dataset.log_singular_values.dtype == np.float64
    gaussian = initialisation.own_values(dataset.sel(init="Gaussian"))
    # |det Wⁿ| = |det W|ⁿ: the same net at every depth
    np.testing.assert_allclose(gaussian.sel(depth=4).sum("index"), 4 * gaussian.sel(depth=1).sum("index"), rtol=1e-4)
    assert initialisation.own_values(dataset.sel(init="LSTM")).sizes["index"] == 10
    figure = initialisation.draw(dataset)
    titles = [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes]
    assert [title.split(":")[0] for title in titles] == list(initialisation.INITS)
    plt.close(figure)


def test_singular_values_that_are_not_known_are_not_left_out():
    depths = {"depth": [1.0, 4.0]}
    values = xarray.DataArray(np.zeros((1, 2, 10)), dims=("net", "depth", "index"), coords=depths)
    at = xarray.Dataset({"log_singular_values": values}).assign_coords(index_length=10)
    assert (initialisation.spread(at), initialisation.kept(at)) == (0, 1)
    at = at.where(xarray.DataArray(np.arange(10) < 9, dims="index"))
    assert np.isnan(initialisation.spread(at))
    assert initialisation.shown(initialisation.spread(at)) == "unknown"
    assert initialisation.kept(at) == 0.9
    for depths in ((), (1,), (5, 3), (0, 4)):
        with pytest.raises(ValueError, match="depths: got"):
            initialisation.Config(depths=depths)


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
    assert depth_and_width.middle(np.array([1.0, 2.0, np.inf, np.inf])) == 2
    assert np.isnan(depth_and_width.middle(np.array([1.0, np.nan])))
    figure = depth_and_width.draw(dataset)
    assert "2 layers" in {text.get_text() for text in figure.axes[2].texts}
    # stable nets are named, not left out
    notes = "\n".join(text.get_text() for text in figure.axes[1].texts)
    assert "of 2 nets, not chaotic up to 0.6:\n2 at n = 4, 2 at n = 8" in notes
    plt.close(figure)


def test_chaos_is_what_is_known_to_grow():
    exponents = [[-1.0, 0.5, 1.0], [-0.2, 1e-5, 1e-5], [1.0, 1.0, 1.0]]
    fates = [[-1.0, 1.0, 1.0], [-1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    at = xarray.Dataset(
        {"edge": (("net", "gain"), exponents), "edge_fate": (("net", "gain"), fates)}, {"gain": [1.0, 2.0, 4.0]}
    )
    np.testing.assert_allclose(depth_and_width.edges(at), [-np.inf, 1, np.inf])


def test_one_of_everything():
    config = depth_and_width.Config(
        widths=(4,), gains=(0.5, 0.5, 1), layers=(1,), layer_width=4, nets=1, length=64, burn_in=8
    )
    dataset = depth_and_width.run(config)
    assert set(dataset.edge.dims) == {"hidden", "gain", "net"}
    figure = depth_and_width.draw(dataset)
    figure.savefig(io.BytesIO())
    assert "nothing to compare" in figure.axes[2].get_title(loc="left") + figure.axes[2].get_title()
    plt.close(figure)


@pytest.mark.slow
def test_cells_in_the_order_of_their_exponents():
    # a driven linear state would overflow
    config = architectures.Config(cells=("elman", "linear"), hidden=6, nets=2, length=200, lags=10, drive=1e38)
    dataset = architectures.run(config)
    assert list(dataset.cell.values) == ["linear", "elman"]
    assert dataset.numbers.sel(cell="elman").values.tolist() == [48, 48]  # 6² + 6 + 6
    assert (dataset.log_norm.isel(lag=0) == 0).all()
    linear = dataset.sel(cell="linear")
    assert np.isfinite(linear.exponent).all()
    assert (linear.log_norm.isel(lag=10) / 10 > linear.exponent - 0.05).all()
    figure = architectures.draw(dataset)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["linear", "elman"]
    assert r"\leq$ 1/10)" in figure.axes[0].get_title(loc="left") + figure.axes[0].get_title()
    plt.close(figure)
    hidden = dataset.assign(exponent=dataset.exponent.copy(data=[[np.nan, 1.0], [-np.inf, -np.inf]]))
    hidden = hidden.assign(log_norm=xarray.where(dataset.lag == 0, dataset.log_norm, -np.inf))
    figure = architectures.draw(hidden)
    figure.savefig(io.BytesIO())
    notes = figure.axes[0].texts[-1].get_text()
    assert "crosses: NaN" in notes
    assert "left edge" in notes
    assert "less than 1 % is left in 2 of 2" in figure.axes[1].get_title(loc="left") + figure.axes[1].get_title()
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
