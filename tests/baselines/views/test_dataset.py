"""Training samples: masks follow their image, rows stay aligned, and nothing but seed, epoch and index matters."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from entityseg.baselines.views import EntityViews, Target, ViewAugmentation
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, from_dense, to_dense

SIZE = (60, 96)
# One colour an entity: where masks follow the image, a mask's pixels have its colour.
COLOURS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [200, 200, 0]], np.uint8)


def painted(masks: np.ndarray) -> np.ndarray:
    image = np.zeros((*SIZE, 3), np.uint8)
    for mask, colour in zip(masks, COLOURS, strict=False):
        image[mask] = colour
    return image


def quarters() -> np.ndarray:
    masks = np.zeros((4, *SIZE), bool)
    masks[0, :30, :40] = True
    masks[1, :30, 40:] = True
    masks[2, 30:, :70] = True
    masks[3, 30:, 70:] = True
    return masks


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Three images: four entities, none, and two of which one is a crowd."""
    annotated = []
    kept = [quarters(), quarters()[:0], quarters()[:2]]
    for index, masks in enumerate(kept):
        Image.fromarray(painted(masks)).save(tmp_path / f"{index}.png")
        crowd = np.zeros(len(masks), bool)
        if index == 2:
            crowd[1] = True
        annotated.append(
            AnnotatedImage(
                ImageRecord(index, f"{index}.png", *SIZE), from_dense(masks), np.arange(len(masks)) + 10 * index,
                np.array([5, 9, 5, 7])[: len(masks)], crowd,
            )
        )  # fmt: skip
    built = Dataset.build(annotated, [Category(5, "a"), Category(7, "b"), Category(9, "c")])
    return replace(built, image_root=tmp_path)


AUGMENTATIONS = {
    "cropformer": ViewAugmentation(short_sides=(48, 64), max_side=120),
    "fixed8": ViewAugmentation(short_sides=(64,), max_side=120, crops="fixed8", crop_count=4),
    "random": ViewAugmentation(short_sides=(64,), max_side=120, crops="random", crop_count=3),
    "jitter": ViewAugmentation(crops="none", jitter=(0.5, 2.0), window=64),
    "window": ViewAugmentation(short_sides=(80, 120), max_side=400, crops="none", window=64),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_masks_follow_the_image_in_every_view(dataset: Dataset, name: str) -> None:
    views = EntityViews(dataset, AUGMENTATIONS[name], seed=1)
    flips = 0
    for epoch in range(6):
        sample = views[0, epoch]
        assert len(sample.pixels) == len(sample.target.masks) == AUGMENTATIONS[name].view_count
        for pixels, masks in zip(sample.pixels, sample.target.masks, strict=True):
            assert masks.size == pixels.shape[:2]
            dense = to_dense(masks)
            assert (dense.sum(axis=0) <= 1).all()
            for row, mask in enumerate(dense):
                # Colours mix along borders; inside they are the entity's own, so rows are aligned, too.
                colours = np.median(pixels[mask], axis=0) if mask.sum() > 40 else None
                if colours is not None:
                    nearest = np.abs(COLOURS.astype(int) - colours).sum(axis=1).argmin()
                    expected = _original_row(sample.target, row)
                    assert expected is None or nearest == expected
        flips += _is_flipped(sample.pixels[0])
    assert name not in ("cropformer", "fixed8", "random") or 0 < flips < 6


def _original_row(target: Target, row: int) -> int | None:
    """The row in the file, known where no entity was left out."""
    return row if len(target) == 4 else None


def _is_flipped(pixels: np.ndarray) -> bool:
    return bool(pixels[2, 2].argmax() == 1)


def test_a_border_lies_where_the_resized_image_has_it(dataset: Dataset) -> None:
    """Image and mask keep one geometry: the colours change within a pixel of the mask's border."""
    views = EntityViews(dataset, ViewAugmentation(short_sides=(37,), max_side=99, flip=0.0, crops="none"))
    sample = views[0]
    row = sample.pixels[0][5].astype(int)
    change = int((row[:, 0] > row[:, 1]).sum())
    width = int(to_dense(sample.target.masks[0])[0, 5].sum())
    assert abs(change - width) <= 1


def test_items_depend_on_seed_epoch_and_index_alone(dataset: Dataset) -> None:
    augment = AUGMENTATIONS["random"]
    first, again, other = (EntityViews(dataset, augment, seed=seed) for seed in (3, 3, 4))
    _ = again[2, 0]  # What was asked before does not matter.
    for key in ((0, 0), (0, 1), (2, 5)):
        a, b, c = first[key], again[key], other[key]
        assert all(np.array_equal(x, y) for x, y in zip(a.pixels, b.pixels, strict=True))
        assert a.target.masks == b.target.masks
        assert a.target.masks != c.target.masks
    assert first[0, 0].target.masks != first[0, 1].target.masks
    assert first[0].target.masks == first[0, 0].target.masks


def test_no_entities_and_crowds(dataset: Dataset) -> None:
    views = EntityViews(dataset, AUGMENTATIONS["cropformer"])
    empty, crowded = views[1], views[2]
    assert len(empty.target) == 0 and empty.target.labels.dtype == torch.int64
    assert len(crowded.target) == 1
    batch = views.collate([empty, crowded])
    dense = batch.targets[0].dense(batch.size)
    assert dense.shape == (0, 2, *batch.size) and dense.dtype == torch.bool
    assert batch.targets[0].present().shape == (0, 2)
    assert batch.names == ("1.png", "2.png")


def test_categories_become_labels(dataset: Dataset) -> None:
    plain = ViewAugmentation(short_sides=(60,), max_side=96, flip=0.0, crops="none")
    assert EntityViews(dataset, plain)[0].target.labels.tolist() == [0, 0, 0, 0]
    assert EntityViews(dataset, plain, category_ids=[9, 5])[0].target.labels.tolist() == [1, 0, 1]
    with pytest.raises(UsageError, match=r"views\.category"):
        EntityViews(dataset, plain, category_ids=[5, 6])


def test_a_batch_is_padded_behind_and_masks_with_it(dataset: Dataset) -> None:
    views = EntityViews(dataset, AUGMENTATIONS["cropformer"], seed=2)
    samples = [views[0, epoch] for epoch in range(3)]
    batch = views.collate(samples)
    assert batch.pixel_values.shape[:3] == (3, 2, 3) and all(side % 32 == 0 for side in batch.size)
    for row, sample in enumerate(samples):
        dense = sample.target.dense(batch.size)
        for column, (pixels, masks) in enumerate(zip(sample.pixels, sample.target.masks, strict=True)):
            height, width = pixels.shape[:2]
            np.testing.assert_array_equal(dense[:, column, :height, :width], to_dense(masks))
            assert not dense[:, column, height:].any() and not dense[:, column, :, width:].any()
            assert not batch.pixel_values[row, column, :, height:].any()
    padded = EntityViews(dataset, AUGMENTATIONS["jitter"]).collate(
        [EntityViews(dataset, AUGMENTATIONS["jitter"])[0]]
    )
    assert padded.size == (64, 64)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_workers_give_what_the_process_itself_gives(dataset: Dataset, workers: int) -> None:
    views = EntityViews(pickle.loads(pickle.dumps(dataset)), AUGMENTATIONS["cropformer"], seed=7)
    keys = [[(0, 3)], [(2, 3), (1, 3)]]
    loaded = list(DataLoader(views, batch_sampler=keys, num_workers=workers, collate_fn=views.collate))
    for batch, wanted in zip(loaded, keys, strict=True):
        own = views.collate([views[key] for key in wanted])
        assert torch.equal(batch.pixel_values, own.pixel_values)
        assert [one.masks for one in batch.targets] == [one.masks for one in own.targets]


def test_an_entity_no_view_sees_is_left_out(dataset: Dataset) -> None:
    dot = np.zeros((1, *SIZE), bool)
    dot[0, 1, 1] = True
    one = dataset[0]
    masks = RunLengths.concatenate([from_dense(dot), one.masks[1:]])
    tiny = Dataset.build([replace(one, masks=masks)], dataset.categories)
    views = EntityViews(
        replace(tiny, image_root=dataset.image_root),
        ViewAugmentation(short_sides=(6,), max_side=20, flip=0.0, crops="none"),
    )
    assert len(views[0].target) == 3


def test_no_stack_of_full_size_masks_is_made(tmp_path: Path) -> None:
    """A hundred masks of 3 MP are 300 MB as pixels; a sample takes a fraction of that."""
    import tracemalloc

    size = (1500, 2000)
    Image.new("RGB", (size[1], size[0])).save(tmp_path / "large.png")
    starts = np.arange(100) * 30_000
    masks = RunLengths(size, np.stack([starts, starts + 30_000], axis=1).ravel(), np.arange(0, 201, 2))
    rows = np.arange(100)
    one = AnnotatedImage(ImageRecord(1, "large.png", *size), masks, rows, rows * 0, rows < 0)
    built = replace(Dataset.build([one], [Category(0, "a")]), image_root=tmp_path)
    views = EntityViews(built, ViewAugmentation(flip=1.0))
    views[0]  # Imports and compiled kernels are no part of it.
    tracemalloc.start()
    try:
        sample = views[0, 1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(sample.target) == 100
    assert peak < 50e6


def test_missing_and_wrong_images_are_named(dataset: Dataset) -> None:
    views = EntityViews(dataset, AUGMENTATIONS["cropformer"])
    assert dataset.image_root is not None
    path = dataset.image_root / "0.png"
    Image.new("RGB", (10, 10)).save(path)
    with pytest.raises(InputError, match=r"image\.size"):
        views[0]
    path.unlink()
    dataset_without = replace(dataset, image_root=dataset.image_root / "elsewhere")
    with pytest.raises(InputError, match=r"image 0.*image\.missing"):
        EntityViews(dataset_without, AUGMENTATIONS["cropformer"])[0]


@pytest.mark.parametrize(
    "options",
    [
        {"short_sides": ()},
        {"flip": 2},
        {"crop_count": 5},
        {"jitter": (0.1, 2.0)},
        {"window": 64},
        {"jitter": (2.0, 1.0), "window": 64, "crops": "none"},
    ],
)
def test_nonsense_is_refused(options) -> None:
    with pytest.raises(UsageError):
        ViewAugmentation(**options)
