"""Lines and surfaces along which a state moves slowly."""
