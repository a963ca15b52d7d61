"""The hard-threshold net, which a binary adder can be built from.

    h_t = H(W h_{t-1} + U x_t + b),        H(z) = 1 for z > 0 and 0 for z <= 0

A network of logical neurons (McCulloch & Pitts 1943). Its derivative is 0 wherever it exists, so no gradient reaches
the past. The smooth surrogate is `make_elman("logistic")` with W, U and b multiplied by a slope β: σ(βz) → H(z).

Parameters (`Affine`): W (hidden, hidden), U (hidden, inputs), b (hidden,) or None; state: h (hidden,).
Initial weights: as for the linear net, W ~ N(0, gain²/hidden), U ~ N(0, 1/inputs), b = 0.
"""

from .activations import heaviside
from .elman import make_elman

threshold = make_elman(heaviside)
