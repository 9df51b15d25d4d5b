"""The run-length masks of one image, and what can be done with them without ever making pixels of them.

>>> import numpy as np
>>> from entityseg import masks
>>> two = masks.from_dense(np.array([[[1, 1, 0], [1, 0, 0]], [[0, 1, 1], [0, 0, 0]]], bool))
>>> two.areas.tolist(), masks.iou_matrix(two, two)[0].tolist(), masks.are_disjoint(two)
([3, 2], [1.0, 0.25], False)
"""

from __future__ import annotations

from entityseg.masks.algebra import (
    Overlaps,
    are_disjoint,
    complement,
    coverage,
    difference,
    intersection,
    overlaps,
    paint,
    union,
    union_area,
)
from entityseg.masks.coco import from_coco, from_counts, to_coco, to_counts, to_strings
from entityseg.masks.dense import from_dense, to_dense
from entityseg.masks.geometry import crop, flip, resize
from entityseg.masks.hulls import hull_areas
from entityseg.masks.idmap import from_id_map, to_id_map
from entityseg.masks.morphology import boundary_band, dilate, erode
from entityseg.masks.outlines import bending
from entityseg.masks.pairwise import intersections, iou_matrix, iou_of_pairs
from entityseg.masks.perimeters import perimeters
from entityseg.masks.png import from_panoptic_png, to_id_png, to_panoptic_png
from entityseg.masks.polygons import from_polygons, to_polygons
from entityseg.masks.regions import (
    components,
    count_components,
    count_holes,
    fill_holes,
    holes,
    split_components,
)
from entityseg.masks.runlengths import MAX_PIXELS, RunLengths, Size

__all__ = [
    "MAX_PIXELS",
    "Overlaps",
    "RunLengths",
    "Size",
    "are_disjoint",
    "bending",
    "boundary_band",
    "complement",
    "components",
    "count_components",
    "count_holes",
    "coverage",
    "crop",
    "difference",
    "dilate",
    "erode",
    "fill_holes",
    "flip",
    "from_coco",
    "from_counts",
    "from_dense",
    "from_id_map",
    "from_panoptic_png",
    "from_polygons",
    "holes",
    "hull_areas",
    "intersection",
    "intersections",
    "iou_matrix",
    "iou_of_pairs",
    "overlaps",
    "paint",
    "perimeters",
    "resize",
    "split_components",
    "to_coco",
    "to_counts",
    "to_dense",
    "to_id_map",
    "to_id_png",
    "to_panoptic_png",
    "to_polygons",
    "to_strings",
    "union",
    "union_area",
]
