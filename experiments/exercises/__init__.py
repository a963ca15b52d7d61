"""The five course exercises that the toolkit was born from, each with its derivation done by hand beside it."""
