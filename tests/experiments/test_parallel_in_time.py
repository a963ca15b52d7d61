"""The experiment that runs nets in parallel over time, at a tiny size."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments import parallel_in_time

mpl.use("Agg")


def test_iterations_of_a_shorter_run():
    fronts = np.array([3.0, 7.0, 12.0, np.nan])
    found = [parallel_in_time.iterations_for(fronts, T) for T in (1, 3, 4, 12, 13)]
    assert found == [1, 1, 2, 3, np.inf]


@pytest.mark.slow
def test_quiet_nets_converge_and_every_net_is_drawn():
    config = parallel_in_time.Config(last=(0.6, 0.6, 9.0), steps=2, nets=2, size=4, T=120, lags=20, iterations=12)
    dataset = parallel_in_time.run(config)
    assert dict(dataset.sizes) == {"cell": 3, "step": 2, "net": 2, "iteration": 12}
    quiet = dataset.sel(cell=["elman", "gru"])
    assert quiet.converged.all()
    assert (quiet.fate == -1).all()
    for line, converged in zip(*parallel_in_time.nets_of(dataset, "fronts", "converged"), strict=True):
        assert converged == np.isfinite(parallel_in_time.iterations_for(line, config.T))
    figure = parallel_in_time.draw(dataset)
    top, bottom, over_time = figure.axes
    assert sum(len(line.get_xdata()) for line in top.get_lines() if line.get_marker() in "os^") == 12
    assert sum(len(line.get_xdata()) for line in bottom.get_lines() if line.get_marker() in "os^") == 12
    medians = [line for line in over_time.get_lines() if line.get_linewidth() == 3]
    groups = np.histogram(dataset.exponent, parallel_in_time.EDGES)[0]
    assert len(medians) == np.count_nonzero(groups)
    assert len(over_time.get_lines()) == 12 + len(medians) + 2
    plt.close(figure)
