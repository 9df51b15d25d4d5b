"""Shape of masks: convexity, simplicity and what else an outline says, from runs."""
