"""Shape of masks: convexity, simplicity and what else an outline says, from runs."""

from __future__ import annotations

from entityseg.stats.shape.choices import ShapeChoices, every_choice
from entityseg.stats.shape.measure import SHAPE_COLUMNS, THIN_WITHIN, Shapes, shapes

__all__ = ["SHAPE_COLUMNS", "THIN_WITHIN", "ShapeChoices", "Shapes", "every_choice", "shapes"]
