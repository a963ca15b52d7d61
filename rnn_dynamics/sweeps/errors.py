"""The error of a store that was damaged or made to harm."""


class StoreError(ValueError):
    """Something in a store is not as its sweep left it; the message says what, and what was expected."""
