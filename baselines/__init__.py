"""Models, their training, inference and checkpoints. Needs the extra `models` (torch, transformers)."""
