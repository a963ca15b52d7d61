"""Run the examples of one public module, such as `.cells`, as a user would type them; print how many there are."""

import doctest
import operator
import sys
import warnings

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import optax

mpl.use("Agg")
import matplotlib.pyplot as plt

import rnn_dynamics as rd

# Haiku 0.0.17 names it when it is imported
warnings.filterwarnings("ignore", "jax.core.set_current_trace is deprecated", DeprecationWarning)

path = sys.argv[1].strip(".")
module = operator.attrgetter(path)(rd) if path else rd
known = {"jax": jax, "jnp": jnp, "np": np, "plt": plt, "optax": optax, "rd": rd, "key": jax.random.key(0)}
runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
for name in module.__all__:
    found = getattr(module, name)
    if callable(found) and found.__doc__:
        runner.run(doctest.DocTestParser().get_doctest(found.__doc__, dict(known), name, None, 0))
        plt.close("all")
print(runner.tries)
sys.exit(runner.failures > 0)
