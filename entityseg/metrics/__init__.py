"""Metrics: one file a family; pure functions and a mergeable table."""

from __future__ import annotations

from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.mask_matching import match_image
from entityseg.metrics.matching import ImageMatches
from entityseg.metrics.result import Counts, Score
from entityseg.metrics.scoring import evaluate, score

__all__ = ["Counts", "EntityAP", "ImageMatches", "Score", "evaluate", "match_image", "score"]
