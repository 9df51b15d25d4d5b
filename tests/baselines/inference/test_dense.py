"""From the bytes of an image to scored masks, against the released rules written out plainly and at full size.

Nothing of the package is used on the way but the network itself: crops, resizing, padding, fusion, painting and
rescoring are done again, in NumPy and Pillow.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from entityseg.baselines.inference.segment import segment, segment_batch
from entityseg.baselines.models import load_model
from entityseg.baselines.views import ViewProcessor
from entityseg.masks import to_dense
from tests.baselines.inference.conftest import Make

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
SHORT, LONG = 64, 96
SIZES = [(1, 1), (3, 5000), (5000, 3), (31, 33), (1000, 1), (150, 97)]


def photo(height: int, width: int) -> np.ndarray:
    """Smooth colours and some noise, so that masks have shapes."""
    rng = np.random.default_rng(height * 10_000 + width)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-20, 21, smooth.shape), 0, 255).astype(np.uint8)


def network_side(height: int, width: int) -> tuple[int, int]:
    """ResizeShortestEdge of detectron2."""
    scale = SHORT / min(height, width)
    h, w = (SHORT, scale * width) if height < width else (scale * height, SHORT)
    if max(h, w) > LONG:
        h, w = h * (LONG / max(h, w)), w * (LONG / max(h, w))
    return max(1, int(h + 0.5)), max(1, int(w + 0.5))


def regions_of(height: int, width: int, scheme: str, seed: int = 0) -> list[tuple[int, int, int, int]]:
    h, w = max(1, int(0.7 * height)), max(1, int(0.7 * width))
    down, right = height - h, width - w
    corners = [(0, 0), (0, right), (down, 0), (down, right)]
    middles = [(0, right // 2), (down // 2, 0), (down // 2, right), (down, right // 2)]
    rng = np.random.default_rng(seed)
    starts = {
        "none": lambda: [],
        "fixed4": lambda: corners,
        "fixed8": lambda: corners + middles,
        "random": lambda: [(int(rng.integers(down + 1)), int(rng.integers(right + 1))) for _ in range(3)],
    }[scheme]()
    return [(0, 0, width, height), *((x, y, x + w, y + h) for y, x in starts)]


def bilinear(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps [n, h, w] at another size: centres at half-integers, the border repeated."""
    for axis, new in ((1, size[0]), (2, size[1])):
        old = maps.shape[axis]
        place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(place).astype(int)
        high, share = np.minimum(low + 1, old - 1), place - low
        share = share.reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
        maps = maps.take(low, axis) * (1 - share) + maps.take(high, axis) * share
    return maps


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def released(
    model: torch.nn.Module, image: np.ndarray, scheme: str, outputs: str
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and masks of all queries, best class score first, empty ones included."""
    height, width = image.shape[:2]
    regions = regions_of(height, width, scheme)
    sides = [network_side(y1 - y0, x1 - x0) for x0, y0, x1, y1 in regions]
    padded = tuple(-(-max(side) // 32) * 32 for side in zip(*sides, strict=True))
    pixels = np.zeros((1, len(regions), 3, *padded))
    for view, ((x0, y0, x1, y1), (h, w)) in enumerate(zip(regions, sides, strict=True)):
        part = Image.fromarray(image[y0:y1, x0:x1])
        values = np.asarray(part.resize((w, h), Image.Resampling.BILINEAR))
        pixels[0, view, :, :h, :w] = ((values - MEAN) / STD).transpose(2, 0, 1)
    with torch.no_grad():
        said = model.eval()(torch.from_numpy(pixels))
    decoded = said.image if outputs == "I-O" else said.batch
    classes, maps = decoded.logits[-1][0].numpy(), decoded.masks[-1][0].numpy()
    chosen = {"I-O": [0], "B-O": [0], "B-C": range(1, len(regions)), "B-OC": range(len(regions))}[outputs]
    total, count = np.zeros((len(maps), height, width)), np.zeros((height, width))
    for view in chosen:
        (x0, y0, x1, y1), (h, w) = regions[view], sides[view]
        cut = bilinear(maps[:, view], padded)[:, :h, :w]
        total[:, y0:y1, x0:x1] += sigmoid(bilinear(cut, (y1 - y0, x1 - x0)))
        count[y0:y1, x0:x1] += 1
    shares = total / np.maximum(count, 1)
    powers = np.exp(classes - classes.max(axis=1, keepdims=True))
    scores = (powers / powers.sum(axis=1, keepdims=True))[:, 0]
    order = np.argsort(-scores, kind="stable")
    free = np.ones((height, width), bool)
    masks, finals = [], []
    for query in order:
        mask = (shares[query] > 0.5) & free
        free &= ~mask
        masks.append(mask)
        finals.append(scores[query] * (sigmoid(shares[query]) * mask).sum() / (mask.sum() + 1e-6))
    return np.array(finals), np.array(masks)


@pytest.fixture(scope="module")
def double(weights: Make) -> Callable[[str], torch.nn.Module]:
    """Models in float64, where the order of sums moves no border, with weights that make many masks."""
    made: dict[str, torch.nn.Module] = {}

    def make(name: str) -> torch.nn.Module:
        if name not in made:
            model = load_model(weights(name)).double()
            generator = torch.Generator().manual_seed(1)
            with torch.no_grad():
                for weight in model.parameters():
                    weight += 0.05 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
            made[name] = model
        return made[name]

    return make


def compare(model, image: np.ndarray, scheme: str, outputs: str, found=None, **options) -> int:
    processor = ViewProcessor(SHORT, LONG, crops=scheme, crop_count=3)
    wanted = {"keep_empty": True, "outputs": outputs, **options}
    found = segment(model, processor, image, **wanted) if found is None else found
    scores, masks = released(model, image, scheme, outputs)
    np.testing.assert_array_equal(to_dense(found.masks), masks)
    np.testing.assert_allclose(found.scores, scores, rtol=0, atol=1e-9)
    return int(masks.any(axis=(1, 2)).sum())


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("scheme", ["fixed4", "fixed8", "random"])
def test_crops_of_images_of_any_size(double, size, scheme: str) -> None:
    made = compare(double("cropformer"), photo(*size), scheme, "B-OC")
    assert made >= 3 or min(size) == 1


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_view(double, size) -> None:
    compare(double("mask2former"), photo(*size), "none", "I-O")


@pytest.mark.parametrize("outputs", ["I-O", "B-O", "B-C"])
@pytest.mark.parametrize("size", [(31, 33), (3, 700)], ids=str)
def test_every_output(double, outputs: str, size) -> None:
    compare(double("cropformer"), photo(*size), "fixed4", outputs)


@pytest.mark.parametrize("name", ["vmask2former", "vita"])
def test_peers(double, name: str) -> None:
    compare(double(name), photo(31, 33), "fixed4", "B-OC")


def test_views_one_by_one_threads_and_the_whole_image_alone(double) -> None:
    for options in ({"views_at_once": 1}, {"views_at_once": 3, "threads": 3}):
        compare(double("cropformer"), photo(150, 97), "fixed4", "B-OC", **options)
    compare(double("cropformer"), photo(150, 97), "none", "B-O")


def test_a_batch_of_unlike_sizes(double) -> None:
    images = [photo(*size) for size in ((31, 33), (150, 97), (3, 700), (33, 31), (31, 33))]
    processor = ViewProcessor(SHORT, LONG, crops="fixed4")
    together = segment_batch(double("cropformer"), processor, images, keep_empty=True)
    for image, found in zip(images, together, strict=True):
        compare(double("cropformer"), image, "fixed4", "B-OC", found)
