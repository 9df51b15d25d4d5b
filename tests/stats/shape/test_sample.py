"""Real masks: COCO's panoptic sample against scikit-image and shapely, and the figures of docs/statistics/shape.md."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import shapely
from scipy import ndimage
from skimage import measure

import entityseg
from entityseg.masks import RunLengths, to_dense
from entityseg.stats.shape import ShapeChoices, Shapes, every_choice, shapes

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "statistics" / "shape.md"


@pytest.fixture(scope="module")
def sample(shared_data: Path) -> list[RunLengths]:
    """The masks of the sample's images, without crowds."""
    dataset = entityseg.load(shared_data / "coco_panoptic_sample" / "panoptic_examples.json")
    return [image.masks[~image.iscrowd] for image in dataset]


def test_perimeters_and_hulls(sample: list[RunLengths]) -> None:
    for masks in sample:
        crofton, skimage = shapes(masks), shapes(masks, ShapeChoices(perimeter="skimage"))
        for i, mask in enumerate(to_dense(masks)):
            assert crofton["perimeter"][i] == pytest.approx(measure.perimeter_crofton(mask), rel=1e-9)
            assert skimage["perimeter"][i] == pytest.approx(measure.perimeter(mask), rel=1e-9)
            corners = ndimage.binary_dilation(np.pad(mask, (0, 1)), np.ones((2, 2)), origin=-1)
            assert (
                crofton["hull_area"][i] == shapely.convex_hull(shapely.multipoints(np.argwhere(corners))).area
            )


def test_the_documents_table(sample: list[RunLengths]) -> None:
    measured = [Shapes(masks) for masks in sample]
    assert sum(map(len, sample)) == 47
    rows = [re.split(r" *\| *", line.strip("| ")) for line in DOCUMENT.read_text().splitlines()]
    convexity = {(row[0], row[1]): row[2] for row in rows if row[0] in {"whole", "each"}}
    simplicity = {
        (row[0], row[1], row[2]): row[3] for row in rows if len(row) == 6 and row[1] in {"yes", "no"}
    }
    assert (len(convexity), len(simplicity)) == (4, 16)
    for choices in every_choice():
        found = np.concatenate([shape.convexity(choices) for shape in measured]).mean()
        assert f"{found:.3f}".lstrip("0") == convexity[choices.parts, choices.hull], choices.name
        found = np.concatenate([shape.simplicity(choices) for shape in measured]).mean()
        holes = "yes" if choices.holes else "no"
        assert f"{found:.3f}".lstrip("0") == simplicity[choices.perimeter, holes, choices.parts], choices.name
