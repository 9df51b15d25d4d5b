"""Superpixels: regions of alike colour (scikit-image's SLIC), merged; knows no classes and hardly any words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Category
from entityseg.errors import usage_error
from entityseg.masks import RunLengths, from_id_map, resize
from entityseg.protocols import NO_CATEGORY, GroundedPhrase, Pixels, Segmentation

_SIDE = 256
_COLOURS = {
    "black": (20, 20, 20),
    "white": (235, 235, 235),
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "red": (190, 40, 40),
    "orange": (225, 130, 40),
    "yellow": (225, 205, 60),
    "green": (60, 140, 60),
    "blue": (50, 90, 180),
    "purple": (120, 60, 150),
    "pink": (225, 130, 170),
    "brown": (120, 80, 50),
}


class Superpixels:
    """Cuts an image into regions of alike colour; no two overlap, and together they cover it.

    It works on a small version of the image. A mask's score is its share of the image. Where categories are asked
    for it says the first one, whatever it sees; of a text it understands colours, and else takes what lies in the
    middle.

    Args:
        regions: superpixels to begin with.
        threshold: neighbours whose mean colours (CIELAB) are nearer than that become one.
    """

    def __init__(self, regions: int = 200, threshold: float = 14.0) -> None:
        if regions < 1 or threshold < 0:
            message = "regions are at least 1, the threshold is not negative"
            raise usage_error("superpixels.options", message, "Give such numbers.")
        self.regions = int(regions)
        self.threshold = float(threshold)
        self._category = NO_CATEGORY

    def use_categories(self, categories: Sequence[Category]) -> None:
        """Take the first category for all masks."""
        self._category = categories[0].id if categories else NO_CATEGORY

    def segment(self, image: Pixels) -> Segmentation:
        """Return the regions of an image."""
        masks = self._regions(image)[0]
        scores = masks.areas / max(masks.pixels, 1)
        return Segmentation(masks, scores, np.full(len(masks), self._category, np.int64))

    def ground(
        self, image: Pixels, text: str, phrases: Sequence[str] | None = None
    ) -> Sequence[GroundedPhrase]:
        """Return one region a phrase; without phrases, one for the colours that the text names."""
        masks, colours, centres = self._regions(image)
        wanted = [text] if phrases is None else phrases
        answers = []
        for phrase in wanted:
            named = [rgb for name, rgb in _COLOURS.items() if name in phrase.lower().split()]
            distance = np.hypot(*(centres - 0.5).T)
            if named:
                distance = np.linalg.norm(colours - np.array(named[0]), axis=1)
            row = np.array([int(np.argmin(distance))])
            answers.append(GroundedPhrase(phrase, masks[row]))
        return answers

    def _regions(self, image: Pixels) -> tuple[RunLengths, NDArray[np.float64], NDArray[np.float64]]:
        """Return n masks of the image's size, their mean colours [n, 3], and centres [n, 2] in shares of the image."""
        from PIL import Image
        from skimage.color import rgb2lab
        from skimage.segmentation import slic

        height, width = image.shape[:2]
        scale = min(1.0, _SIDE / max(height, width))
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
        lab = rgb2lab(small)
        labels = slic(small, n_segments=self.regions, compactness=12, start_label=0, channel_axis=-1)
        labels = _merged(labels, lab, self.threshold)
        _, masks = from_id_map(labels.astype(np.uint32) + 1)
        flat = labels.ravel()
        areas = np.bincount(flat)

        def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.stack([np.bincount(flat, column) / areas for column in values.T], axis=1)

        rows, columns = np.indices(labels.shape)
        places = np.stack([(rows.ravel() + 0.5) / size[1], (columns.ravel() + 0.5) / size[0]], axis=1)
        return resize(masks, (height, width)), means(small.reshape(-1, 3).astype(np.float64)), means(places)


def _merged(labels: NDArray[np.int64], lab: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Join neighbours whose mean colours are near; return labels 0 to n - 1 without gaps."""
    flat = labels.ravel()
    areas = np.maximum(np.bincount(flat), 1)
    colours = np.stack([np.bincount(flat, lab[..., k].ravel()) / areas for k in range(3)], axis=1)
    pairs = np.concatenate(
        [
            np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1),
            np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1),
        ]
    )
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    near = np.linalg.norm(colours[pairs[:, 0]] - colours[pairs[:, 1]], axis=1) < threshold
    parent = np.arange(len(areas))
    for one, other in pairs[near].tolist():
        a, b = _root(parent, one), _root(parent, other)
        parent[max(a, b)] = min(a, b)
    roots = np.array([_root(parent, k) for k in range(len(parent))])
    return np.unique(roots[labels], return_inverse=True)[1].reshape(labels.shape)


def _root(parent: NDArray[np.int64], one: int) -> int:
    while parent[one] != one:
        one = int(parent[one])
    return one
