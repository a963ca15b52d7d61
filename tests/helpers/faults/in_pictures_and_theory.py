"""Faults in exact results and in pictures."""

from .fault import Fault

FIELD = "theory/test_mean_field.py::test"
PRODUCTS = "theory/test_random_products.py::test"

THEORY = [
    Fault(
        "quadrature-weights",
        "theory/quadrature.py",
        "* w * jnp.cosh(t) *",
        "* w *",
        f"{FIELD}_averages_at_any_width[0.3-square]",
    ),
    Fault(
        "chi-of-one-slope",
        "theory/mean_field.py",
        "lambda x: _sech2(x) ** 2, deviation",
        "lambda x: _sech2(x), deviation",
        f"{FIELD}_every_quantity_in_long_arithmetic[1.5-0.0]",
    ),
    Fault(
        "mean-exponent-half",
        "theory/mean_field.py",
        "jnp.log(gain) - 0.5 +",
        "jnp.log(gain) +",
        f"{FIELD}_every_quantity_in_long_arithmetic[1.5-0.0]",
    ),
    Fault(
        "edge-of-order",
        "theory/mean_field.py",
        "1 / gaussian_average(lambda x: _sech2(x) ** 2, jnp.sqrt(q))",
        "1 / gaussian_average(lambda x: _sech2(x) ** 2, q)",
        f"{FIELD}_published_edge[0.1-1.98607]",
    ),
    Fault(
        "psi-degrees",
        "theory/random_products.py",
        "jnp.arange(size, 0, -1)",
        "jnp.arange(size + 1, 1, -1)",
        f"{PRODUCTS}_gaussian_products_in_long_arithmetic[5]",
    ),
    Fault(
        "psi-stderr",
        "theory/random_products.py",
        "/ (4 * length)",
        "/ (2 * length)",
        f"{PRODUCTS}_gaussian_products_in_long_arithmetic[5]",
    ),
]

PICTURES = [
    Fault(
        "doubted-not-grey",
        "plot/exponents.py",
        'rings = {**dots, "color": DOUBTED, "markerfacecolor"',
        'rings = {**dots, "markerfacecolor"',
        "plot/test_exponents.py::test_doubted_exponents_are_grey_and_hollow_and_the_others_are_not",
    ),
    Fault(
        "two-standard-errors",
        "plot/exponents.py",
        "np.where(np.isfinite(errors), errors, 0)",
        "np.where(np.isfinite(errors), 2 * errors, 0)",
        "plot/test_exponents.py::test_bars_are_one_standard_error_and_an_unknown_one_has_none",
    ),
    Fault(
        "doubted-curve-not-grey",
        "plot/convergence.py",
        "{} if reliable[i] else",
        "{} if True else",
        "plot/test_convergence.py::test_doubted_exponents_are_grey_and_dashed_and_said",
    ),
    Fault(
        "nan-not-hatched",
        "plot/heat_map.py",
        "missing = np.isnan(heights)",
        "missing = np.zeros(heights.shape, bool)",
        "plot/test_regimes.py::test_zeros_have_the_lowest_colour_and_nan_is_hatched",
    ),
    Fault(
        "nan-not-said",
        "plot/caveats.py",
        '"infinite": values == np.inf, "NaN": np.isnan(values)}',
        '"infinite": values == np.inf}',
        "plot/test_flow.py::test_nan_is_a_gap_or_a_net_left_out_and_is_said",
    ),
    Fault(
        "binary-decades",
        "plot/decades.py",
        "np.float64) / math.log(10)",
        "np.float64) / math.log(2)",
        "plot/test_flow.py::test_the_median_and_its_band_stand_at_decimal_logarithms",
    ),
    Fault(
        "critical-line",
        "plot/regimes.py",
        "shown, [0.0], colors",
        "shown, [0.5], colors",
        "plot/test_regimes.py::test_the_critical_line_is_where_the_norm_is_one_and_lag_0_does_not_bend_it",
    ),
    Fault(
        "quantile-of-nan",
        "plot/curves.py",
        "known = np.sum(~np.isnan(values), axis=0)",
        "known = np.full(values.shape[1:], len(values))",
        "plot/test_curves.py::test_quantiles_leave_nan_out_and_are_numpys_where_all_is_finite",
    ),
]
