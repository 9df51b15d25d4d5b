"""Released checkpoints to the layout of this package."""
