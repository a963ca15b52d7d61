"""One question a file: a typed config, `run`, `main`, and a figure of the same name."""
