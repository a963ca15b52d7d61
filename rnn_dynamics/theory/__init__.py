"""Theoretical values that a measurement should reproduce: exact and mean-field results for given parameters."""

from .mean_field import (
    edge_of_order,
    largest_exponent,
    mean_exponent,
    mean_square_growth,
    share_of_exponents_below,
    stationary_variance,
)
from .quadrature import gaussian_average
from .random_products import gaussian_product_exponents, gaussian_product_stderr, orthogonal_product_exponents

__all__ = [
    "edge_of_order",
    "gaussian_average",
    "gaussian_product_exponents",
    "gaussian_product_stderr",
    "largest_exponent",
    "mean_exponent",
    "mean_square_growth",
    "orthogonal_product_exponents",
    "share_of_exponents_below",
    "stationary_variance",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
