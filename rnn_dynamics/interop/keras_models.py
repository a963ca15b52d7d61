"""The recurrent layers of a Keras model: one, or a plain chain of them."""

import itertools
from typing import Any

# layers that do nothing in inference
IDLE = (
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "InputLayer",
    "SpatialDropout1D",
)


def chain_in(keras: Any, model: Any) -> list[Any]:
    """Return the recurrent layers of a model in order; raise if they are no plain chain."""
    layers = _all_layers(keras, model)
    recurrent = [layer for layer in layers if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)]
    names = ", ".join(f"{layer.name} ({type(layer).__name__})" for layer in recurrent)
    if not recurrent:
        raise ValueError(f"layer: got the model {model.name!r}, which has no recurrent layer")
    for below, above in itertools.pairwise(recurrent):
        found = _layer_below(layers, above) if isinstance(model, keras.Sequential) else _source(above)
        if found is not below:
            what = "what could not be traced" if found is None else f"{found.name} ({type(found).__name__})"
            raise ValueError(
                f"layer: got the model {model.name!r} with the recurrent layers {names}, which are no plain chain: "
                f"{above.name} is fed by {what}; import the layers one by one, or a list of them in order"
            )
    return recurrent


def _all_layers(keras: Any, model: Any) -> list[Any]:
    found: list[Any] = []
    for layer in model.layers:
        found += _all_layers(keras, layer) if isinstance(layer, keras.Model) else [layer]
    return found


def _is_idle(layer: Any) -> bool:
    return type(layer).__name__ in IDLE and type(layer).__module__.startswith("keras.")


def _layer_below(layers: list[Any], layer: Any) -> Any:
    """Return what feeds a layer of a Sequential model, idle layers left out."""
    return next((one for one in reversed(layers[: layers.index(layer)]) if not _is_idle(one)), None)


def _source(layer: Any) -> Any:
    """Return what feeds a layer of a functional model, idle layers left out; None if that is not one layer."""
    while True:
        try:
            tensor = layer.input
        except (AttributeError, ValueError):  # called twice or never
            return None
        history = getattr(tensor, "_keras_history", None)
        if history is None:  # several inputs, an initial state among them
            return None
        layer = history.operation
        if not _is_idle(layer) or type(layer).__name__ == "InputLayer":
            return layer
