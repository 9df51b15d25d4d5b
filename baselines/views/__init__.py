"""Views of an image: the whole and its crops, and the entities in each."""

from __future__ import annotations

from entityseg.baselines.views.augment import ViewAugmentation
from entityseg.baselines.views.cutting import ImageViews, View
from entityseg.baselines.views.dataset import EntityViews, Sample
from entityseg.baselines.views.processor import ViewProcessor, load_processor
from entityseg.baselines.views.regions import crop_regions, network_size
from entityseg.baselines.views.targets import Batch, Target

__all__ = [
    "Batch",
    "EntityViews",
    "ImageViews",
    "Sample",
    "Target",
    "View",
    "ViewAugmentation",
    "ViewProcessor",
    "crop_regions",
    "load_processor",
    "network_size",
]
