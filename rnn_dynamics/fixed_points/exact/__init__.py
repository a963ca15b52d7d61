"""All fixed points and cycles of a piecewise-linear net."""
