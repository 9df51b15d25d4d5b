"""Pixels of views: cut, resized, normalised, padded; the processor's file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from entityseg.baselines.views import ViewProcessor, load_processor
from entityseg.baselines.views.cutting import MEAN, STD
from entityseg.errors import InputError, MissingFileError, UsageError

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (60, 90, 3), dtype=np.uint8)


def test_views_are_cut_at_the_original_resolution_and_resized_alone() -> None:
    made = ViewProcessor(40, 100, crops="fixed4").cut(IMAGE)
    assert [view.region for view in made.views] == [
        (0, 0, 90, 60), (0, 0, 62, 42), (28, 0, 90, 42), (0, 18, 62, 60), (28, 18, 90, 60)
    ]  # fmt: skip
    assert [view.size for view in made.views] == [(40, 60)] + [(40, 59)] * 4
    corner = Image.fromarray(IMAGE[18:, 28:]).resize((59, 40), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(made.pixels[4], np.asarray(corner))
    assert made.image_size == (60, 90)


def test_stacking_normalises_and_pads_with_zeros_behind() -> None:
    processor = ViewProcessor(40, 100, crops="fixed4")
    batch = processor(IMAGE)
    values = batch["pixel_values"]
    assert values.shape == (1, 5, 3, 64, 64) and values.dtype == torch.float32
    made = processor.cut(IMAGE)
    want = (made.pixels[0].astype(np.float64) - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(values[0, 0, :, :40, :60], want.transpose(2, 0, 1), rtol=1e-5, atol=1e-6)
    assert not values[0, 1, :, 40:].any() and not values[0, 1, :, :, 59:].any()
    assert batch["views"] == [made.views]


def test_images_of_several_sizes_share_a_batch() -> None:
    values = ViewProcessor(40, 200)([IMAGE, IMAGE[:, :60]])["pixel_values"]
    assert values.shape == (2, 1, 3, 64, 64) and not values[1, 0, :, :, 40:].any()


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 3)])
def test_extreme_images(shape) -> None:
    made = ViewProcessor(80, 133, crops="fixed4").cut(np.full((*shape, 3), 7, np.uint8))
    assert len(made) == 5
    for pixels, view in zip(made.pixels, made.views, strict=True):
        assert pixels.shape == (*view.size, 3) and (pixels == 7).all() and max(view.size) <= 133


def test_random_crops_are_the_same_for_every_call() -> None:
    one, same, other = (
        ViewProcessor(40, 80, crops="random", crop_count=6, seed=seed).cut(IMAGE).views for seed in (0, 0, 1)
    )
    assert one == same != other and len(one) == 7


def test_the_file_comes_back(tmp_path: Path) -> None:
    processor = ViewProcessor(96, 160, crops="fixed8", crop_ratio=0.6, image_mean=(1, 2, 3), seed=4)
    processor.save_pretrained(tmp_path)
    assert load_processor(tmp_path).to_dict() == processor.to_dict()
    assert json.loads((tmp_path / "preprocessor_config.json").read_text())["crops"] == "fixed8"


def test_options_may_replace_those_of_the_file(tmp_path: Path) -> None:
    processor = ViewProcessor(96, 160, crops="fixed8", crop_ratio=0.6)
    processor.save_pretrained(tmp_path)
    other = ViewProcessor.from_pretrained(tmp_path, short_side=64, crops="none")
    assert other.to_dict() == {**processor.to_dict(), "short_side": 64, "crops": "none"}
    assert (
        ViewProcessor.valid_kwargs.__annotations__.keys() | {"image_processor_type"} == other.to_dict().keys()
    )
    with pytest.raises(UsageError, match="short_side"):
        ViewProcessor.from_pretrained(tmp_path, short_side=0)


def test_it_is_called_as_the_librarys_processors_are() -> None:
    processor = ViewProcessor(40, 100)
    wanted = processor([IMAGE])["pixel_values"]
    assert torch.equal(processor(images=IMAGE, return_tensors="pt")["pixel_values"], wanted)
    with pytest.raises(UsageError, match=r"processor\.tensors"):
        processor(IMAGE, return_tensors="np")
    with pytest.raises(InputError, match="no image"):
        processor([])
    with pytest.raises(InputError, match="not Image"):
        processor(Image.fromarray(IMAGE))


def test_bad_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        load_processor(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    for text in ("{", '{"crop_ratio": 7}', '{"unknown": 1}', '{"short_side": "wide"}', "[]"):
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            load_processor(tmp_path)
        assert str(path) in str(caught.value), text


@pytest.mark.parametrize(
    "options",
    [{"short_side": 0}, {"short_side": 900, "max_side": 800}, {"image_std": (0, 1, 1)}, {"crops": "x"}],
)
def test_nonsense_is_refused(options) -> None:
    with pytest.raises(UsageError):
        ViewProcessor(**options)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), "photo.jpg"]
)
def test_what_is_no_image_is_refused(image) -> None:
    with pytest.raises(InputError):
        ViewProcessor().cut(image)
