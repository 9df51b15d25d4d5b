"""Models and images to masks: every family, every output, batches, precision, odd images."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from entityseg.baselines.inference.segment import segment, segment_batch
from entityseg.baselines.inference.segmenter import FolderSegmenter
from entityseg.baselines.models import load_model
from entityseg.baselines.views import ViewProcessor, load_processor
from entityseg.errors import InputError, UsageError
from entityseg.masks import are_disjoint
from tests.baselines.inference.conftest import Make

FAMILIES = ["mask2former", "cropformer", "vmask2former", "vita"]
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (75, 100, 3), dtype=np.uint8)


NO_THRESHOLDS = {"object_threshold": 0.0, "overlap_threshold": 0.0}


def loaded(folder):
    return load_model(folder), load_processor(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_cuts_images_of_any_size(weights: Make, family: str) -> None:
    model, processor = loaded(weights(family))
    for shape in ((75, 100), (1, 1), (3, 5000), (5000, 3), (130, 40)):
        image = np.resize(IMAGE, (*shape, 3))
        result = segment(model, processor, image)
        assert result.masks.size == shape and are_disjoint(result.masks)
        assert (result.labels == -1).all() and ((result.scores > 0) & (result.scores < 1)).all()


def test_outputs_are_those_of_their_decoder_and_views(weights: Make) -> None:
    model, processor = loaded(weights("cropformer"))
    by_output = {
        name: segment(model, processor, IMAGE, outputs=name) for name in ("I-O", "B-O", "B-C", "B-OC")
    }
    for a, one in by_output.items():
        for b, other in by_output.items():
            assert a == b or one.masks != other.masks, (a, b)
    auto = segment(model, processor, IMAGE)
    assert auto.masks == by_output["B-OC"].masks
    # Of the image-level decoder, the whole image is seen alone: as by a processor that cuts no crops.
    alone = segment(model, ViewProcessor(64, 96), IMAGE, outputs="I-O")
    assert alone.masks == by_output["I-O"].masks
    np.testing.assert_allclose(alone.scores, by_output["I-O"].scores, rtol=1e-5)


def test_outputs_that_a_model_lacks_are_refused(weights: Make) -> None:
    model, processor = loaded(weights("mask2former"))
    with pytest.raises(UsageError, match="batch-level"):
        segment(model, processor, IMAGE, outputs="B-OC")
    model, _ = loaded(weights("vmask2former"))
    with pytest.raises(UsageError, match="image-level"):
        segment(model, processor, IMAGE, outputs="I-O")
    with pytest.raises(UsageError, match="no crops"):
        segment(model, processor, IMAGE, outputs="B-C")
    with pytest.raises(UsageError, match="one view"):
        segment(model, processor, IMAGE, scales=(96,))


@pytest.mark.parametrize("family", FAMILIES)
def test_views_one_by_one_and_neighbours_change_nothing(weights: Make, family: str) -> None:
    model, processor = loaded(weights(family))
    model = model.double()
    images = [IMAGE, IMAGE[:40], IMAGE[::-1].copy(), IMAGE[:, :70].copy()]
    together = segment_batch(model, processor, images)
    for image, found in zip(images, together, strict=True):
        alone = segment(model, processor, image, views_at_once=1)
        assert alone.masks == found.masks
        np.testing.assert_allclose(alone.scores, found.scores, rtol=1e-9)


def test_half_precision_is_close(weights: Make) -> None:
    model, processor = loaded(weights("mask2former"))
    full, half = (segment(model, processor, IMAGE, amp=amp, keep_empty=True) for amp in (False, True))
    assert len(full.scores) == len(half.scores)
    assert np.median(np.abs(np.sort(full.scores) - np.sort(half.scores))) < 0.02


def test_the_models_mode_and_gradients_stay(weights: Make) -> None:
    model, processor = loaded(weights("mask2former"))
    model.train()
    found = segment(model, processor, IMAGE)
    assert model.training
    model.eval()
    assert segment(model, processor, IMAGE).masks == found.masks
    assert all(parameter.grad is None for parameter in model.parameters())


def test_several_scales_change_masks_and_keep_entities(weights: Make) -> None:
    model, processor = loaded(weights("mask2former"))
    one = segment(model, processor, IMAGE, keep_empty=True)
    several = segment(model, processor, IMAGE, keep_empty=True, scales=(96, 72))
    assert len(one.masks) == len(several.masks) and one.masks != several.masks
    same = segment(model, processor, IMAGE, keep_empty=True, scales=(64,))
    assert same.masks == one.masks
    np.testing.assert_allclose(same.scores, one.scores, rtol=1e-12)


@pytest.mark.parametrize("task", ["instance", "semantic", "panoptic"])
def test_class_aware_tasks(weights: Make, task: str) -> None:
    folder = weights("mask2former", task=task, num_labels=4, things=[0, 1])
    options = {"object_threshold": 0.2} if task == "panoptic" else {}
    result = segment(*loaded(folder), IMAGE, **options)
    assert set(result.labels.tolist()) <= set(range(4))
    if task == "semantic":
        assert result.masks.areas.sum() == 7500
    if task == "instance":
        assert set(result.labels.tolist()) <= {0, 1}
    else:
        assert are_disjoint(result.masks)


@pytest.mark.parametrize(
    ("task", "option"),
    [
        ("semantic", {"overlap": True}),
        ("panoptic", {"rescore": "plain"}),
        ("panoptic", {"detections": 5}),
        ("semantic", {"keep_empty": True}),
        ("entity", {"object_threshold": 0.5}),
        ("instance", {"overlap_threshold": 0.5}),
    ],
)
def test_options_without_effect_are_refused(weights: Make, task: str, option: dict[str, object]) -> None:
    folder = weights("mask2former", task="panoptic", num_labels=4, things=[0, 1])
    with pytest.raises(UsageError, match=rf"{next(iter(option))}.*the task {task} has no use for it"):
        segment(*loaded(folder), IMAGE, task=task, **option)
    with pytest.raises(UsageError, match=r"inference\.task"):
        FolderSegmenter(folder, task=task, **option)  # type: ignore[arg-type]
    assert segment(*loaded(folder), IMAGE, task=task, overlap=None if task == "entity" else False) is not None


def test_the_threshold_is_for_every_task(weights: Make) -> None:
    folder = weights("mask2former", task="panoptic", num_labels=4, things=[0, 1])
    for task, options in (("entity", {}), ("instance", {}), ("panoptic", NO_THRESHOLDS)):
        every = segment(*loaded(folder), IMAGE, task=task, **options)
        least = float(np.median(every.scores))
        some = segment(*loaded(folder), IMAGE, task=task, threshold=least, **options)
        assert sorted(some.scores) == sorted(every.scores[every.scores >= least])
        assert 0 < len(some.scores) < len(every.scores)


def test_weights_that_are_no_numbers_are_refused(weights: Make) -> None:
    model, processor = loaded(weights("mask2former"))
    with torch.no_grad():
        model.image_decoder.head.classes.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="not finite"):
        segment(model, processor, IMAGE)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_models_give_the_same(weights: Make) -> None:
    plain, compiled = (FolderSegmenter(weights("mask2former"), compile=on) for on in (False, True))
    # A second size is compiled for itself: code for any size would take minutes.
    for image in (IMAGE, IMAGE[:30, :40]):
        a, b = plain.segment(image), compiled.segment(image)
        assert len(a.scores) == len(b.scores)
        np.testing.assert_allclose(a.scores, b.scores, rtol=1e-3)
