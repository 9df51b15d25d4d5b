"""All four models: shapes, stages, gradients, files, and what must not change the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from entityseg.baselines.catalogue import FAMILIES
from entityseg.baselines.models import (
    CropFormer,
    Mask2Former,
    SegmenterConfig,
    SegmenterModel,
    load_model,
    model_class,
    new_model,
    save_model,
    tiny_config,
)
from entityseg.errors import InputError

SEVERAL = [name for name, family in FAMILIES.items() if family.several_views]
CASES = [(name, "swin") for name in FAMILIES] + [("cropformer", "resnet"), ("mask2former", "hornet")]


def make(name: str, backbone: str = "swin", seed: int = 0, **options: object) -> SegmenterModel:
    torch.manual_seed(seed)
    return new_model(tiny_config(name, backbone, **options)).eval()


def pixels(images: int = 1, views: int = 1, height: int = 64, width: int = 96, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images, views, 3, height, width, generator=generator)


def views_of(name: str) -> int:
    return 3 if FAMILIES[name].several_views else 1


@pytest.mark.parametrize(("name", "backbone"), CASES)
@torch.no_grad()
def test_shapes(name: str, backbone: str) -> None:
    views = views_of(name)
    found = make(name, backbone)(pixels(2, views))
    if found.image is not None:
        assert [one.shape for one in found.image.logits] == [(2 * views, 20, 2)]
        assert [one.shape for one in found.image.masks] == [(2 * views, 20, 1, 16, 24)]
    assert (found.batch is None) == (name == "mask2former")
    assert (found.image is None) == (name == "vmask2former")
    assert found.answer.logits[-1].shape == (2, 20, 2)
    assert found.answer.masks[-1].shape == (2, 20, views, 16, 24)


@pytest.mark.parametrize(("name", "backbone"), CASES)
def test_every_weight_has_a_gradient(name: str, backbone: str) -> None:
    model = make(name, backbone).train()
    # They start at 0, so that nothing would reach the level code, which acts through them alone.
    for layer in model.pixels.decoder.encoder.layers:
        torch.nn.init.normal_(layer.self_attn.sampling_offsets.weight, std=0.01)
    found = model(pixels(2, views_of(name)))
    decoders = [one for one in (found.image, found.batch) if one is not None]
    tensors = [tensor for one in decoders for tensor in (*one.logits, *one.masks)]
    if found.identities is not None:
        tensors += [found.identities.views, found.identities.images]
    torch.stack([tensor.square().mean() for tensor in tensors]).sum().backward()
    without = [key for key, one in model.named_parameters() if one.grad is None or not one.grad.any()]
    assert without == []
    assert len(decoders[0].logits) == len(decoders[0].masks) == model.config.decoder_layers + 1


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_the_last_stage_is_the_answer(name: str) -> None:
    model = make(name)
    given = pixels(1, views_of(name))
    every, last = model(given, every_stage=True).answer, model(given).answer
    assert len(last.logits) == 1
    assert len(every.logits) == (6 if name == "vita" else 4)
    torch.testing.assert_close(every.logits[-1], last.logits[-1], rtol=0, atol=1e-6)
    torch.testing.assert_close(every.masks[-1], last.masks[-1], rtol=0, atol=1e-6)
    assert not torch.allclose(every.masks[0], every.masks[-1], atol=1e-3)


@pytest.mark.parametrize(("name", "backbone"), [(name, "swin") for name in FAMILIES] + CASES[-2:])
@torch.no_grad()
def test_files_hold_the_whole_model(name: str, backbone: str, tmp_path: Path) -> None:
    model = make(name, backbone)
    save_model(model, tmp_path / "a")
    found = load_model(tmp_path / "a")
    assert type(found) is model_class(name)
    assert not found.training
    given = pixels(1, views_of(name))
    assert torch.equal(found(given).answer.masks[-1], model(given).answer.masks[-1])
    for key, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[key], value), key
    save_model(found, tmp_path / "b")
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a" / "model.safetensors").stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_classes_without_names_come_back(classes: int, tmp_path: Path) -> None:
    """Two of them are the library's default, which it leaves out of the file."""
    model = make("mask2former", task="instance", num_labels=classes)
    save_model(model, tmp_path)
    for config in (SegmenterConfig.from_pretrained(tmp_path), load_model(tmp_path).config):
        assert (config.num_labels, config.id2label, config.label2id) == (
            classes, {i: f"LABEL_{i}" for i in range(classes)}, {f"LABEL_{i}": i for i in range(classes)},
        )  # fmt: skip
    assert Mask2Former.from_pretrained(tmp_path).config.num_labels == classes


def test_the_librarys_own_reader_takes_the_folder(tmp_path: Path) -> None:
    model = make("cropformer")
    model.save_pretrained(tmp_path)
    found = CropFormer.from_pretrained(tmp_path)
    given = pixels(1, 2)
    with torch.no_grad():
        assert torch.equal(found(given).answer.logits[-1], model(given).answer.logits[-1])


@pytest.mark.parametrize("name", FAMILIES)
def test_a_seed_makes_a_model(name: str) -> None:
    one, same, other = (make(name, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["query_features.weight"], other["query_features.weight"])


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other(name: str) -> None:
    model = make(name).double()
    given = pixels(2, views_of(name)).double()
    both = model(given)
    for index in range(2):
        alone = model(given[index : index + 1])
        torch.testing.assert_close(both.answer.masks[-1][index], alone.answer.masks[-1][0])
        torch.testing.assert_close(both.answer.logits[-1][index], alone.answer.logits[-1][0])


@pytest.mark.parametrize("name", SEVERAL)
@torch.no_grad()
def test_the_order_of_crops_is_told_by_the_view_code_alone(name: str) -> None:
    given = pixels(1, 4).double()
    order = [0, 3, 1, 2]
    for coded in (True, False):
        model = make(name, view_code=coded).double()
        one, other = model(given).answer, model(given[:, order]).answer
        same = torch.allclose(one.masks[-1][:, :, order], other.masks[-1], atol=1e-9)
        # VITA's tokens carry no code of their view.
        assert same == (not coded or name == "vita")


@torch.no_grad()
def test_cropformers_image_level_decoder_is_mask2former() -> None:
    crop = make("cropformer").double()
    mask = make("mask2former").double()
    mask.load_state_dict(crop.state_dict(), strict=False)
    given = pixels(1, 3).double()
    found = crop(given).image
    for view in range(3):
        alone = mask(given[:, view : view + 1]).image
        torch.testing.assert_close(found.masks[-1][view : view + 1], alone.masks[-1])
        torch.testing.assert_close(found.logits[-1][view : view + 1], alone.logits[-1])


@torch.no_grad()
def test_vmask2former_of_one_view_is_mask2former() -> None:
    video = make("vmask2former", view_code=False).double()
    mask = Mask2Former(tiny_config("mask2former")).double().eval()
    mask.load_state_dict(video.state_dict())
    given = pixels(1, 1).double()
    torch.testing.assert_close(video(given).batch.masks[-1], mask(given).image.masks[-1])


@pytest.mark.parametrize(
    "shape",
    [
        (3, 64, 64), (1, 3, 64, 64), (1, 1, 1, 64, 64), (1, 1, 3, 64, 65), (1, 1, 3, 33, 64), (0, 1, 3, 64, 64),
        (1, 0, 3, 64, 64), (1, 1, 3, 0, 64),
    ],
)  # fmt: skip
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="model.pixels"):
        make("mask2former")(torch.zeros(shape))


def test_mask2former_refuses_crops() -> None:
    with pytest.raises(InputError, match="model.views"):
        make("mask2former")(pixels(1, 2))


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_a_smallest_image_goes_through(name: str) -> None:
    found = make(name)(pixels(1, views_of(name), 32, 32)).answer
    assert found.masks[-1].shape[-2:] == (8, 8)
    assert found.masks[-1].isfinite().all()


@pytest.mark.parametrize(("name", "backbone"), CASES)
def test_half_precision_stays_finite(name: str, backbone: str) -> None:
    model = make(name, backbone)
    given = pixels(1, views_of(name))
    with torch.no_grad():
        exact = model(given).answer.logits[-1]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = model(given).answer
    assert half.masks[-1].isfinite().all()
    assert float((half.logits[-1].float() - exact).abs().mean()) < 0.2 * float(exact.abs().mean()) + 0.05
    model.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(given).answer
    (found.masks[-1].float().square().mean() + found.logits[-1].float().square().mean()).backward()
    assert all(one.grad is None or one.grad.isfinite().all() for one in model.parameters())


@pytest.mark.slow
@torch.no_grad()
def test_the_compiler_finds_no_break() -> None:
    model = make("cropformer", decoder_layers=1)
    compiled = torch.compile(model, backend="eager", fullgraph=True, dynamic=False)
    given = pixels(1, 3, 32, 64)
    torch.testing.assert_close(compiled(given).answer.masks[-1], model(given).answer.masks[-1])
