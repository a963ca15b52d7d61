"""The error for a store that is damaged or malicious."""


class StoreError(ValueError):
    """Something in a store differs from what its sweep wrote; the message says what, and what was expected."""
