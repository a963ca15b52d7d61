"""The five course exercises that the toolkit grew out of, each with its derivation by hand next to it."""
