"""Training samples held against dense arrays and Pillow: whichever choices were drawn, they explain pixels and masks.

A sample's flip, scale and crops are not asked for; every combination is tried. By those that give its pixels, every
mask must be what Pillow makes of the dense mask: cut at the original resolution, then NEAREST.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from entityseg.baselines.views import EntityViews, Sample, ViewAugmentation
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.masks import from_dense, to_dense

RNG = np.random.default_rng(0)
SIZES = [(47, 61), (61, 47), (33, 31), (5, 200), (1, 1), (64, 64)]
CROWD, DOT, NOTHING = 2, 3, 4


def blobs(height: int, width: int) -> np.ndarray:
    """Six entities that may share pixels: a half, a corner, a crowd, one pixel, none, and noise."""
    masks = np.zeros((6, height, width), bool)
    masks[0, :, : max(1, width // 2)] = True
    masks[1, height // 2 :, width // 2 :] = True
    masks[CROWD, : height // 3] = True
    masks[DOT, height // 2, width // 3] = True
    masks[5] = RNG.random((height, width)) < 0.3
    return masks


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("views")
    annotated = []
    for index, size in enumerate(SIZES):
        Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8)).save(root / f"{index}.png")
        masks = blobs(*size) if size != (64, 64) else np.zeros((0, 64, 64), bool)
        rows = np.arange(len(masks))
        record = ImageRecord(index, f"{index}.png", *size)
        annotated.append(
            AnnotatedImage(record, from_dense(masks), rows + 10 * index, rows % 2 + 1, rows == CROWD)
        )
    built = Dataset.build(annotated, [Category(1, "odd"), Category(2, "even")])
    return replace(built, image_root=root)


def side_of(height: int, width: int, short: int, most: int) -> tuple[int, int]:
    scale = short / min(height, width)
    h, w = (short, scale * width) if height < width else (scale * height, short)
    if max(h, w) > most:
        h, w = h * (most / max(h, w)), w * (most / max(h, w))
    return max(1, int(h + 0.5)), max(1, int(w + 0.5))


def resized(part: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    if not part.size:
        return np.zeros(size, part.dtype)
    return np.asarray(Image.fromarray(part).resize((size[1], size[0]), how))


def starts(height: int, width: int, scheme: str) -> list[tuple[int, int]]:
    down, right = height - max(1, int(0.7 * height)), width - max(1, int(0.7 * width))
    if scheme == "random":
        return list(itertools.product(range(down + 1), range(right + 1)))
    corners = [(0, 0), (0, right), (down, 0), (down, right)]
    if scheme == "fixed8":
        corners += [(0, right // 2), (down // 2, 0), (down // 2, right), (down, right // 2)]
    return corners


def explanations(
    sample: Sample, image: np.ndarray, masks: np.ndarray, augment: ViewAugmentation
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the dense masks of each view by every choice that gives the sample's pixels."""
    height, width = image.shape[:2]
    crop_h, crop_w = max(1, int(0.7 * height)), max(1, int(0.7 * width))
    for flipped, short in itertools.product((False, True), augment.short_sides):
        turned, theirs = (image[:, ::-1], masks[:, :, ::-1]) if flipped else (image, masks)
        per_view = []
        for view, pixels in enumerate(sample.pixels):
            places = [(0, 0, height, width)]
            if view:
                places = [(y, x, y + crop_h, x + crop_w) for y, x in starts(height, width, augment.crops)]
            fitting = set()
            for y0, x0, y1, x1 in places:
                size = side_of(y1 - y0, x1 - x0, short, augment.max_side)
                part = np.ascontiguousarray(turned[y0:y1, x0:x1])
                if pixels.shape[:2] == size and np.array_equal(
                    pixels, resized(part, size, Image.Resampling.BILINEAR)
                ):
                    cut = [
                        resized(np.ascontiguousarray(one[y0:y1, x0:x1]), size, Image.Resampling.NEAREST)
                        for one in theirs
                    ]
                    fitting.add(np.array(cut, bool).reshape(len(cut), *size).tobytes())
            per_view.append((pixels.shape[:2], fitting))
        for chosen in itertools.product(*(found for _, found in per_view)):
            yield tuple(
                np.frombuffer(data, bool).reshape(len(masks), *size)
                for data, (size, _) in zip(chosen, per_view, strict=True)
            )


SCHEMES = {
    "fixed4": ViewAugmentation(short_sides=(24, 40), max_side=70),
    "fixed8": ViewAugmentation(short_sides=(40,), max_side=70, crops="fixed8", crop_count=3),
    "random": ViewAugmentation(short_sides=(40, 50), max_side=70, crops="random"),
    "none": ViewAugmentation(short_sides=(24, 40, 90), max_side=120, crops="none"),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_the_choices_that_explain_the_pixels_explain_the_masks(dataset: Dataset, name: str) -> None:
    augment = SCHEMES[name]
    views = EntityViews(dataset, augment, seed=5)
    assert dataset.image_root is not None
    vanished = lost = 0
    for index in range(len(SIZES)):
        image = np.asarray(Image.open(dataset.image_root / f"{index}.png").convert("RGB"))
        masks = to_dense(dataset[index].masks)[~dataset[index].iscrowd]
        for epoch in range(4):
            sample = views[index, epoch]
            dense = [to_dense(one) for one in sample.target.masks]
            by_choice = list(explanations(sample, image, masks, augment))
            assert by_choice
            for wanted in by_choice:
                seen = np.any([view.any(axis=(1, 2)) for view in wanted], axis=0)
                for ours, theirs in zip(dense, wanted, strict=True):
                    np.testing.assert_array_equal(ours, theirs[seen])
            present = sample.target.present().numpy()
            assert present.any(axis=1).all()
            vanished += int((~present).sum())
            lost += len(masks) - len(sample.target)
    assert lost > 0 and (vanished > 0 or augment.crops == "none")


def test_labels_stay_with_their_masks(dataset: Dataset) -> None:
    plain = ViewAugmentation(short_sides=(47,), max_side=70, flip=0.0, crops="none")
    target = EntityViews(dataset, plain, category_ids=[2, 1])[0].target
    rows = [row for row in range(6) if row not in (CROWD, NOTHING)]
    assert target.labels.tolist() == [[2, 1].index(row % 2 + 1) for row in rows]
    np.testing.assert_array_equal(to_dense(target.masks[0]), to_dense(dataset[0].masks)[rows])
    odd = EntityViews(dataset, plain, category_ids=[1])[0].target
    assert odd.labels.tolist() == [0] * len(odd) and len(odd) == sum(row % 2 == 0 for row in rows)


@given(st.integers(0, 10**6))
def test_windows_are_a_part_of_the_resized_image(seed: int) -> None:
    height, width = 40, 50
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    masks = blobs(height, width)
    augment = ViewAugmentation(crops="none", jitter=(2.0, 2.0), window=40)
    (pixels,), (small,) = augment(image, from_dense(masks), np.random.default_rng(seed))
    assert pixels.shape == (40, 40, 3)
    found = 0
    for flipped in (False, True):
        turned, theirs = (image[:, ::-1], masks[:, :, ::-1]) if flipped else (image, masks)
        whole = resized(np.ascontiguousarray(turned), (64, 80), Image.Resampling.BILINEAR)
        near = [resized(np.ascontiguousarray(one), (64, 80), Image.Resampling.NEAREST) for one in theirs]
        for y, x in itertools.product(range(25), range(41)):
            if np.array_equal(whole[y, x : x + 40], pixels[0]) and np.array_equal(
                whole[y : y + 40, x : x + 40], pixels
            ):
                found += 1
                wanted = np.array(near)[:, y : y + 40, x : x + 40]
                np.testing.assert_array_equal(to_dense(small), wanted)
    assert found == 1


def test_the_answer_is_in_the_question_alone(dataset: Dataset, tmp_path: Path) -> None:
    """Seed, epoch and index: not what was asked before, the order, or how many images there are."""
    augment = SCHEMES["random"]
    fewer = replace(
        Dataset.build([dataset[index] for index in range(3)], dataset.categories),
        image_root=dataset.image_root,
    )
    asked = [(index, epoch) for epoch in (0, 1, 7) for index in range(3)]
    first, second = EntityViews(dataset, augment, seed=9), EntityViews(fewer, augment, seed=9)
    forwards = [first[key] for key in asked]
    backwards = [second[key] for key in reversed(asked)][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert one.target.masks == other.target.masks and one.name == other.name
        assert all(map(np.array_equal, one.pixels, other.pixels))
    kinds = {tuple(pixels.tobytes() for pixels in one.pixels) for one in forwards}
    assert len(kinds) == len(asked)
