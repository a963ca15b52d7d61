"""Find fixed and slow points from many candidates, and say what each is."""
