"""One file per question: a typed config, `run`, `main` and a figure of the same name."""
