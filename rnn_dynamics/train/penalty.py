"""What a penalty is: a scalar of a moment of training that is added to the loss of the task and differentiated with it.

A penalty is pure and has a reverse-mode derivative in `moment.net`. Several of them are added.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from .. import argument
from .moment import Moment

Penalty = Callable[[Moment], Array]


def weighted(weight: Any, penalty: Penalty) -> Penalty:
    """weight · penalty(moment), for a weight of at least 0, which may be traced.

    For a Python number it is the very same function each time, so that training compiles once.
    """
    argument.real("weight", weight, at_least=0)
    return (_remembered if isinstance(weight, int | float) else _weighted)(weight, penalty)


def _weighted(weight: Any, penalty: Penalty) -> Penalty:
    def times_weight(moment: Moment) -> Array:
        value = penalty(moment)
        return jnp.asarray(weight, value.dtype) * value

    return times_weight


_remembered = functools.cache(_weighted)
