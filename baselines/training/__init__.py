"""Configs, losses, the loop, checkpoints that resume."""
