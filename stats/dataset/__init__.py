"""Statistics of whole datasets, image by image, then over all."""
