"""From a network's outputs to masks of the image."""
