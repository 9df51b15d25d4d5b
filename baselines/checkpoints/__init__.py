"""Released weights: read without running anything, told by names and shapes, converted with their provenance."""

from entityseg.baselines.checkpoints.convert import Converted, convert_file, convert_state
from entityseg.baselines.checkpoints.describe import describe
from entityseg.baselines.checkpoints.reading import read_state

__all__ = ["Converted", "convert_file", "convert_state", "describe", "read_state"]
