"""Faults in cells, activations and initial weights."""

from .fault import Fault

EQUATION = "cells/test_equations.py::test_value_and_gradient_equal_plain_numpy"
SLOPE = "cells/test_activations.py::test_slope_keeps_its_digits_under_saturation[float32-by_jvp"
DRAWS = "cells/test_initializers.py::test"

CELLS = [
    Fault("lstm-gates", "cells/lstm.py", "c = f * c + i * g", "c = i * c + f * g", f"{EQUATION}[lstm]"),
    Fault("lstm-output", "cells/lstm.py", "h=o * tanh(c)", "h=tanh(o * c)", f"{EQUATION}[lstm]"),
    Fault(
        "lstm-forget-bias",
        "cells/lstm.py",
        "forget_bias: Bias = 1.0",
        "forget_bias: Bias = 0.0",
        "cells/test_equations.py::test_default_forget_bias_is_one",
    ),
    Fault("gru-update", "cells/gru.py", "n if keeps else", "n if not keeps else", f"{EQUATION}[gru_keep_before]"),
    Fault(
        "gru-reset",
        "cells/gru.py",
        "affine(p.candidate, r * h, x)",
        "r * (p.candidate.W @ h) + drive(p.candidate, x)",
        f"{EQUATION}[gru_keep_before]",
    ),
    Fault(
        "gru-recurrent-bias",
        "cells/gru.py",
        "(inner if p.recurrent_bias is None else inner + p.recurrent_bias)",
        "inner",
        f"{EQUATION}[gru_keep_after]",
    ),
    Fault(
        "elman-leak",
        "cells/elman.py",
        "(1 - leak) * h + leak * new",
        "leak * h + (1 - leak) * new",
        f"{EQUATION}[leaky_logistic]",
    ),
    Fault(
        "rate-flow-rk4",
        "cells/rate.py",
        "k1 + 2 * k2 + 2 * k3 + k4",
        "k1 + 2 * k2 + k3 + 2 * k4",
        f"{EQUATION}[rate_flow]",
    ),
    Fault("cornn-damping", "cells/cornn.py", "- epsilon * z", "- epsilon * y", f"{EQUATION}[cornn]"),
    Fault("janet-beta", "cells/janet.py", "logistic(beta - s)", "logistic(-s)", f"{EQUATION}[janet]"),
    Fault(
        "affine-no-bias",
        "cells/affine.py",
        "jnp.zeros_like(p.W[:, 0]) if p.b is None else p.b",
        "jnp.zeros_like(p.W[:, 0])",
        f"{EQUATION}[elman]",
    ),
    Fault(
        "lru-normalisation",
        "cells/lru.py",
        "gamma=jnp.log1p(-area) / 2",
        "gamma=jnp.log1p(-area)",
        "cells/test_equations.py::test_lru_is_a_diagonal_complex_map_within_the_ring",
    ),
    Fault(
        "orthogonal-not-skew",
        "cells/orthogonal.py",
        "expm(p.A - p.A.T)",
        "expm(p.A)",
        "cells/test_equations.py::test_orthogonal_stays_orthogonal_however_it_is_trained",
    ),
    Fault(
        "stack-old-output",
        "cells/stack.py",
        "x = cell.output(new[-1])",
        "x = cell.output(state)",
        "cells/test_stack.py::test_each_layer_is_fed_the_new_output_of_the_one_below",
    ),
    Fault(
        "tanh-slope-cancels",
        "cells/activations.py",
        "lambda dx, _, x: sech2(x) * dx",
        "lambda dx, _, x: (1 - jnp.tanh(x) ** 2) * dx",
        f"{SLOPE}-tanh]",
    ),
    Fault(
        "logistic-slope-cancels",
        "cells/activations.py",
        "return e / ((1 + e) * (1 + e))",
        "return logistic(x) * (1 - logistic(x))",
        f"{SLOPE}-logistic]",
    ),
    Fault(
        "erf-slope-rounds",
        "cells/activations.py",
        "(coarse + coarse * jnp.expm1(-(x - grid) * (x + grid)))",
        "jnp.exp(shift - x * x)",
        f"{SLOPE}-erf]",
    ),
    Fault(
        "second-derivative",
        "cells/activations.py",
        "slope, x: -2 * tanh(x)",
        "slope, x: 2 * tanh(x)",
        "cells/test_activations.py::test_higher_derivatives_also_at_zero[-0.5-tanh]",
    ),
    Fault(
        "gaussian-variance",
        "cells/initializers.py",
        "jax.random.normal(key, (n, n), argument.floating(dtype)) / math.sqrt(n)",
        "jax.random.normal(key, (n, n), argument.floating(dtype)) / n",
        f"{DRAWS}_gaussian_and_uniform_have_their_variance",
    ),
    Fault(
        "hollow-diagonal",
        "cells/initializers.py",
        "W - jnp.diag(jnp.diag(W))",
        "W + jnp.diag(jnp.diag(W))",
        f"{DRAWS}_hollow",
    ),
    Fault(
        "gain-squared",
        "cells/affine.py",
        'W=constant("gain", gain, (), dtype) * W',
        'W=constant("gain", gain, (), dtype) ** 2 * W',
        "cells/test_contract.py::test_gain_scales_the_recurrence_and_may_be_traced[gru]",
    ),
]
