"""A watch as a callback of Keras, for `model.fit`."""

from typing import Any


def callback(watch: Any, layer: Any) -> Any:
    """Return a callback that calls the watch after each batch. Steps count over all epochs, and from 0."""
    import keras

    class WatchCallback(keras.callbacks.Callback):
        """Watches one recurrent layer while `fit` trains the model."""

        def __init__(self) -> None:
            super().__init__()
            self.step = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            """Measure, if it is time to."""
            if self.step % watch.settings.every == 0:
                # with JAX below, Keras trains a copy of the weights; asking for the model writes them back
                _ = self.model
                watch(step=self.step, model=layer)
            self.step += 1

    return WatchCallback()
