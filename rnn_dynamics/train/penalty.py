"""The contract of a penalty: a scalar function of a Moment, added to the loss of the task and differentiated with it.

A penalty is pure and has a reverse-mode derivative in `moment.net`. Several penalties are summed.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from .. import argument
from .moment import Moment

# maps a Moment to one real floating number
Penalty = Callable[[Moment], Array]


def weighted(weight: Any, penalty: Penalty) -> Penalty:
    """Return the penalty weight · penalty(moment), for a weight of at least 0 that may be traced.

    For a Python number it returns the same function each time.
    """
    argument.real("weight", weight, at_least=0)
    return (_remembered if isinstance(weight, int | float) else _weighted)(weight, penalty)


def _weighted(weight: Any, penalty: Penalty) -> Penalty:
    def times_weight(moment: Moment) -> Array:
        value = penalty(moment)
        return jnp.asarray(weight, value.dtype) * value

    return times_weight


_remembered = functools.cache(_weighted)
