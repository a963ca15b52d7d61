"""The figure of the two matrices, at a tiny size."""

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments import eigenvalues_mislead

mpl.use("Agg")


@pytest.mark.slow
def test_the_same_eigenvalues_and_another_fate():
    config = eigenvalues_mislead.Config(hidden=6, skew=4.0, powers=20, T=25, points=9)
    dataset = eigenvalues_mislead.run(config)
    normal, skew = matrices = eigenvalues_mislead.matrices_of(dataset)
    for matrix in matrices:
        found = np.linalg.eigvals(matrix.W)
        distances = np.abs(found[:, None] - matrix.eigenvalues)
        assert max(distances.min(axis=0).max(), distances.min(axis=1).max()) < 1e-9
        assert np.abs(matrix.eigenvalues).max() == pytest.approx(0.9)
        np.testing.assert_allclose(matrix.log_linear, matrix.log_powers, atol=1e-9)
        np.testing.assert_allclose(matrix.log_tanh[0], matrix.log_powers, atol=0.02)
        # Kreiss: a lower bound of the peak, and a sixteenth of it at least
        assert matrix.kreiss <= np.exp(matrix.log_powers.max()) <= np.e * 6 * matrix.kreiss
    np.testing.assert_allclose(normal.W @ normal.W.T, normal.W.T @ normal.W, atol=1e-12)
    np.testing.assert_allclose(normal.log_powers, np.arange(21) * np.log(0.9), atol=1e-9)
    assert skew.log_powers.max() > 0.5
    assert skew.departure > 1 > 1e-6 > normal.departure
    z = eigenvalues_mislead.grid(config.extent, config.points)
    distance = np.abs(z[..., None] - normal.eigenvalues).min(axis=-1)
    np.testing.assert_allclose(normal.smallest, distance, rtol=1e-9)
    assert (skew.smallest <= distance + 1e-9).all()

    table = eigenvalues_mislead.table(dataset)
    assert table["peak of ‖Wⁿ‖, n ≤ 20"] == [1.0, pytest.approx(np.exp(skew.log_powers.max()))]
    figure = eigenvalues_mislead.draw(dataset)
    assert len(figure.axes) == 4
    powers = figure.axes[2]
    assert len(powers.get_lines()) == 4  # two matrices, dots of the linear net, Kreiss
    np.testing.assert_allclose(powers.get_lines()[-1].get_ydata(), np.log10(skew.kreiss))
    plt.close(figure)


def test_an_odd_number_of_units_has_no_pairs():
    with pytest.raises(ValueError, match="hidden: got 5, expected an even number"):
        eigenvalues_mislead.run(eigenvalues_mislead.Config(hidden=5))


@pytest.mark.slow
def test_the_labels_are_those_of_the_dataset_and_powers_that_grow_are_not_said_to_shrink():
    config = eigenvalues_mislead.Config(hidden=2, radius=1.5, powers=6, T=6, points=3, noises=(0.1,))
    figure = eigenvalues_mislead.draw(eigenvalues_mislead.run(config))
    titles = [axes.get_title(loc="left") + axes.get_title() for axes in figure.axes]
    assert "ρ(W) = 1.5" in titles[0]
    assert "shrink" not in titles[2]
    assert "after n = 6" in titles[2]
    figure.savefig(io.BytesIO())
    plt.close(figure)
    rises = np.array([0.0, 1.0, 2.0, 1.0])
    assert eigenvalues_mislead.fate_of_powers(rises, 0.9) == "non-normal ones peak at $10^{0.9}$ (n = 2), then shrink"
    assert "shrink" not in eigenvalues_mislead.fate_of_powers(rises[:3], 0.9)
    assert eigenvalues_mislead.fate_of_powers(-rises, 0.9) == "both shrink from the start"


@pytest.mark.parametrize(("name", "value"), [("noises", ()), ("powers", 301), ("hidden", 0)])
def test_configs_that_measure_nothing(name, value):
    with pytest.raises(ValueError, match=f"{name}: got"):
        eigenvalues_mislead.Config(**{name: value})
