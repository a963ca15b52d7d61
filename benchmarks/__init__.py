"""Claims with numbers: each file prints a table of ratios from one run. `make bench` runs them all."""
