"""Agreement between annotators of the same images."""
