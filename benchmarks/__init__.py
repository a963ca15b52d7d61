"""Benchmarks behind the performance claims: each file prints a table of ratios from one run. `make bench` runs all."""
