"""Find cycles, with their true periods and Floquet multipliers."""
