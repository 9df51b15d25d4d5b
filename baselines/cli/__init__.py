"""The commands `train`, `predict` and `models`."""
