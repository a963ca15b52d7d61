"""Follow fixed points and cycles while a parameter moves."""
