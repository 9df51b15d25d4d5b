"""What a user gives that is broken, through the commands: a located error with a remedy, and nothing is left."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import signal
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from entityseg.baselines.models import new_model, save_model, tiny_config
from entityseg.baselines.views import ViewProcessor
from entityseg.cli.main import run
from entityseg.data.pixels import read_rgb
from entityseg.predictions.read import read_predictions
from tests.baselines.checkpoints.released import made

Capture = pytest.CaptureFixture[str]
RNG = np.random.default_rng(0)


def pixels(height: int, width: int, channels: int = 3) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, channels), dtype=np.uint8))


def call(capsys: Capture, *arguments: object) -> tuple[int, dict[str, Any], str]:
    """Run a command with --json; whatever was given, it must answer by one object and without a traceback."""
    code = run([*map(str, arguments), "--json"])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err and "inside entityseg" not in captured.err, captured.err
    return code, json.loads(captured.out), captured.err


def refused(capsys: Capture, code: int, kind: str, *arguments: object) -> dict[str, Any]:
    found, told, err = call(capsys, *arguments)
    assert (found, told["findings"][0]["kind"]) == (code, kind), err
    assert all(finding["remedy"] for finding in told["findings"])
    first: dict[str, Any] = told["findings"][0]
    return first


@contextmanager
def files_of_at_most(count: int) -> Iterator[None]:
    """A limit on the size of files ends writing as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of a tiny CropFormer and Mask2Former, and a picture."""
    root = tmp_path_factory.mktemp("models")
    for name, crops in (("cropformer", "fixed4"), ("mask2former", "none")):
        torch.manual_seed(0)
        save_model(new_model(tiny_config(name, "resnet")), root / name)
        ViewProcessor(64, 96, crops=crops).save_pretrained(root / name)
    pixels(50, 80).save(root / "picture.png")
    return root


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the user is."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def changed(models: Path, here: Path, file: str, family: str = "cropformer", **fields: Any) -> Path:
    """Return a copy of a model's folder with other values in a JSON file of it."""
    folder = here / "model"
    shutil.copytree(models / family, folder)
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return folder


# Model folders


@pytest.mark.parametrize(
    ("fields", "kind", "field"),
    [
        ({"model_type": "detr"}, "model.type", "model_type"),
        ({"queries": 10**9}, "model.config", "queries"),
        ({"decoder_layers": 10**9}, "model.config", "decoder_layers"),
        ({"id2label": []}, "model.config", "id2label"),
        ({"id2label": {"0": "a", "2": "b"}}, "model.config", "id2label"),
        ({"id2label": {"0": 5}}, "model.config", "id2label"),
        ({"category_ids": ["a"]}, "model.config", "category_ids"),
        ({"category_ids": [1, 2]}, "model.config", "category_ids"),
        ({"category_ids": [2**70]}, "model.config", "category_ids"),
        ({"things": "all"}, "model.config", "things"),
        ({"things": [9]}, "model.config", "things"),
        ({"dtype": "float99"}, "model.config", None),
        ({"auto_map": {"AutoModel": "code.py"}}, "model.config", "auto_map"),
    ],
)
def test_config_json(
    models: Path, here: Path, capsys: Capture, fields: dict[str, Any], kind: str, field: str | None
) -> None:
    folder = changed(models, here, "config.json", **fields)
    found = refused(capsys, 1, kind, "predict", folder, models / "picture.png", "-o", "out")
    assert found["file"] == str(folder / "config.json") and found.get("field") == field
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"depths": [1, 1, 10**8, 1]}, "model.backbone"),
        ({"depths": [1, 1]}, "model.backbone"),
        ({"depths": [0, 0, 0, 0]}, "model.backbone"),
        ({"embed_dim": -1}, "model.backbone"),
        ({"embed_dim": 10**9}, "model.backbone"),
        ({"num_heads": [5, 5, 5, 5]}, "model.backbone"),
        ({"patch_size": 8}, "model.backbone"),
        ({"return_dict": False}, "model.backbone"),
        ({"out_features": ["stage1"], "out_indices": [1]}, "model.backbone"),
        ({"hidden_act": "none"}, "model.config"),
        ({"mlp_ratio": -1}, "model.config"),
        ({"unknown": 1}, "model.backbone"),
    ],
)
def test_backbones(models: Path, here: Path, capsys: Capture, fields: dict[str, Any], kind: str) -> None:
    swin = {"model_type": "swin", "embed_dim": 24, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 4, 8]}
    folder = changed(models, here, "config.json", backbone_config={**swin, **fields})
    found = refused(capsys, 1, kind, "predict", folder, models / "picture.png", "-o", "out")
    assert found["file"] == str(folder / "config.json")


@pytest.mark.parametrize(
    ("fields", "kind", "field"),
    [
        ({"short_side": "64"}, "processor.value", "short_side"),
        ({"short_side": 64.5}, "processor.value", "short_side"),
        ({"short_side": True}, "processor.value", "short_side"),
        ({"max_side": 10**9}, "processor.value", "max_side"),
        ({"crops": "random", "crop_count": 10**9}, "processor.value", "crop_count"),
        ({"seed": -1}, "processor.value", "seed"),
        ({"crop_ratio": "0.7"}, "processor.value", "crop_ratio"),
        ({"image_mean": ["a", 1, 1]}, "processor.mean", "image_mean"),
        ({"image_mean": None}, "processor.mean", "image_mean"),
        ({"image_std": [0, 1, 1]}, "processor.mean", "image_std"),
        ({"size_divisor": 7}, "processor.model", "size_divisor"),
        ({"crops": "none"}, "processor.model", "crops"),
        ({"size": {"height": 224}}, "processor.option", "size"),
    ],
)
def test_preprocessor_config_json(
    models: Path, here: Path, capsys: Capture, fields: dict[str, Any], kind: str, field: str
) -> None:
    folder = changed(models, here, "preprocessor_config.json", **fields)
    found = refused(capsys, 1, kind, "predict", folder, models / "picture.png", "-o", "out")
    assert found["file"] == str(folder / "preprocessor_config.json") and found["field"] == field
    assert not (here / "out").exists()


def test_a_processor_of_another_family(models: Path, here: Path, capsys: Capture) -> None:
    folder = changed(models, here, "preprocessor_config.json", "mask2former", crops="fixed4")
    picture = models / "picture.png"
    assert refused(capsys, 1, "processor.model", "predict", folder, picture, "-o", "out")["field"] == "crops"
    (folder / "preprocessor_config.json").unlink()
    refused(capsys, 1, "processor.missing", "predict", folder, picture, "-o", "out")
    refused(
        capsys, 2, "model.family", "predict", "cropformer", picture, "-o", "out", "--option", f"path={folder}"
    )
    assert not (here / "out").exists()


def test_without_crops_the_whole_image_can_be_asked_for(models: Path, here: Path, capsys: Capture) -> None:
    folder = changed(models, here, "preprocessor_config.json", crops="none")
    assert call(capsys, "predict", folder, models / "picture.png", "-o", "out", "--outputs", "B-O")[0] == 0


def not_finite(state: dict[str, torch.Tensor]) -> None:
    state["pixels.decoder.mask_projection.bias"][3] = float("nan")
    state["query_features.weight"][0, 0] = float("inf")


def whole_numbers(state: dict[str, torch.Tensor]) -> None:
    state["query_features.weight"] = state["query_features.weight"].long()


@pytest.mark.parametrize(
    ("change", "kind", "record"),
    [
        (not_finite, "model.nan", "pixels.decoder.mask_projection.bias"),
        (whole_numbers, "model.type", "query_features.weight"),
        (lambda state: state.pop("query_features.weight"), "model.missing", "query_features.weight"),
        (lambda state: state.update(more=torch.zeros(1)), "model.unexpected", "more"),
    ],
)
def test_weights(
    models: Path, here: Path, capsys: Capture, change: Callable[[Any], None], kind: str, record: str
) -> None:
    folder = changed(models, here, "config.json")
    path = folder / "model.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path, metadata={"format": "pt"})
    code, told, _ = call(capsys, "predict", folder, models / "picture.png", "-o", "out")
    found = {(one["kind"], one["record"], one["file"]) for one in told["findings"]}
    assert code == 1 and (kind, record, str(path)) in found and {one[0] for one in found} == {kind}
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x02garbage" * 50, struct.pack("<Q", 2**62) + b"{}", struct.pack("<Q", 2) + b"[]"]
)
def test_safetensors_that_are_none(models: Path, here: Path, capsys: Capture, data: bytes) -> None:
    folder = changed(models, here, "config.json")
    (folder / "model.safetensors").write_bytes(data)
    for command in (("predict", folder, models / "picture.png", "-o", "out"), ("models", "info", folder)):
        assert refused(capsys, 1, "model.weights", *command)["file"] == str(folder / "model.safetensors")


# Released files


class Code:
    """Unpickled, it makes a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("made",)


CLASSES = "sem_seg_head.predictor.class_embed.weight"


def state_with(**tensors: torch.Tensor) -> dict[str, Any]:
    return {"model": {**made("cropformer", "resnet")[1], **tensors}}


@pytest.mark.parametrize(
    ("content", "code", "kind"),
    [
        (lambda: state_with()["model"] | {"x": Code()}, 1, "checkpoint.code"),
        (lambda: [1, 2, 3], 1, "checkpoint.content"),
        (lambda: {"model": {"roi_heads.x": torch.zeros(1)}}, 1, "checkpoint.family"),
        (lambda: state_with(**{CLASSES: torch.full((2, 64), float("nan"))}), 1, "checkpoint.nan"),
        (lambda: state_with(**{CLASSES: torch.zeros((2, 64), dtype=torch.int64)}), 1, "checkpoint.type"),
        (lambda: state_with(**{CLASSES: torch.zeros((2, 64)).to(torch.float8_e4m3fn)}), 1, "checkpoint.type"),
        (lambda: state_with(**{CLASSES: torch.zeros((2, 64), device="meta")}), 1, "checkpoint.content"),
        (lambda: state_with(**{CLASSES: torch.zeros((1, 64))}), 1, "checkpoint.shape"),
        (lambda: state_with(**{CLASSES: torch.zeros((2, 60))}), 1, "checkpoint.shape"),
        (lambda: state_with(**{CLASSES: torch.zeros((5, 64))}), 2, "checkpoint.task"),
        (lambda: state_with(more=torch.zeros(1)), 1, "checkpoint.left_over"),
    ],
)
def test_checkpoints(
    here: Path, capsys: Capture, content: Callable[[], object], code: int, kind: str
) -> None:
    torch.save(content(), "a.pth")
    refused(capsys, code, kind, "models", "convert", "a.pth", "out")
    assert refused(capsys, code, kind, "models", "info", "a.pth")
    assert [path.name for path in here.iterdir()] == ["a.pth"]


def test_files_that_are_no_checkpoint(here: Path, capsys: Capture) -> None:
    torch.save(state_with(), "whole.pth")
    data = Path("whole.pth").read_bytes()
    for content in (b"", data[:3], data[:1000], data[:-1], b"<html>"):
        Path("a.pth").write_bytes(content)
        refused(capsys, 1, "checkpoint.broken", "models", "convert", "a.pth", "out")
    Path("a.pth").write_bytes(pickle.dumps([1, 2], protocol=2))
    refused(capsys, 1, "checkpoint.content", "models", "convert", "a.pth", "out")
    for protocol in (2, 4):
        Path("a.pth").write_bytes(pickle.dumps({"model": Code()}, protocol=protocol))
        refused(capsys, 1, "checkpoint.code", "models", "convert", "a.pth", "out")
    assert {path.name for path in here.iterdir()} == {"a.pth", "whole.pth"}


def test_names_cannot_command_the_terminal(here: Path, capsys: Capture) -> None:
    torch.save(state_with(**{"a\n\x1b[31mb": torch.zeros(1)}), "a.pth")
    code, _, err = call(capsys, "models", "convert", "a.pth", "out")
    assert code == 1 and "\x1b" not in err and "a\\n\\x1b[31mb" in err


@pytest.mark.parametrize(
    ("option", "code", "kind"),
    [
        (("--task", "depth"), 2, "checkpoint.task"),
        (("--heads", "7"), 2, "checkpoint.heads"),
        (("--family", "mask2former"), 2, "checkpoint.family"),
        (("--categories", "none.json"), 1, "file.missing"),
    ],
)
def test_options_of_convert(
    here: Path, capsys: Capture, option: tuple[str, ...], code: int, kind: str
) -> None:
    torch.save(state_with(), "a.pth")
    refused(capsys, code, kind, "models", "convert", "a.pth", "out", *option)
    assert [path.name for path in here.iterdir()] == ["a.pth"]


# Images


def sixteen_bit_rgb(path: Path) -> None:
    """Write a PNG of 16-bit RGB, which Pillow cannot: all bytes of row y are 16 * y."""
    rows = b"".join(b"\0" + bytes([16 * y]) * 6 * 12 for y in range(10))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 12, 10, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


@pytest.fixture
def album(here: Path) -> Path:
    """Images of every kind, by name; those that cannot be read begin with `bad`."""
    folder = here / "album"
    (folder / "in" / "side").mkdir(parents=True)
    for name, size in (("one", (1, 1)), ("wide", (3, 5000)), ("tall", (5000, 3)), ("line", (1, 900))):
        pixels(*size).save(folder / f"{name}.png")
    Image.fromarray(RNG.integers(0, 2**16, (20, 30)).astype(np.uint16)).save(folder / "grey16.png")
    sixteen_bit_rgb(folder / "rgb16.png")
    pixels(20, 30).convert("CMYK").save(folder / "cmyk.tif")
    pixels(20, 30, 4).save(folder / "alpha.png")
    pixels(20, 30, 2).save(folder / "grey_alpha.png")
    palette = pixels(20, 30).convert("P")
    palette.save(folder / "palette.png", transparency=bytes(range(256)))
    palette.save(folder / "animated.gif", save_all=True, append_images=[palette, pixels(20, 30).convert("P")])
    pixels(20, 30).convert("1").save(folder / "bits.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels(20, 30).save(folder / "turned.jpg", exif=exif)
    for name in ("näme ☃", "new\nline", "-dash", "long" * 60, "in/twin", "in/side/twin", "in__twin"):
        pixels(20, 30).save(folder / f"{name}.png")
    pixels(20, 30).save(os.fsencode(folder) + b"/caf\xe9.png")
    Image.fromarray(RNG.random((20, 20)).astype(np.float32)).save(folder / "bad_float.tif")
    Image.fromarray(np.full((20, 20), 2**20, np.int32)).save(folder / "bad_32_bits.tif")
    (folder / "bad_cut.png").write_bytes((folder / "alpha.png").read_bytes()[:600])
    (folder / "bad_cut.jpg").write_bytes((folder / "turned.jpg").read_bytes()[:700])
    (folder / "bad_empty.png").write_bytes(b"")
    (folder / "bad_text.jpg").write_text("no image")
    (folder / "folder.png").mkdir()
    (folder / "dangling.png").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    return folder


def test_images_of_every_kind(models: Path, here: Path, album: Path, capsys: Capture) -> None:
    command = ("predict", models / "cropformer", album, "-o", "out")
    code, told, _ = call(capsys, *command)
    bad = {
        "bad_float.tif", "bad_32_bits.tif", "bad_cut.png", "bad_cut.jpg", "bad_empty.png", "bad_text.jpg",
        "dangling.png",
    }  # fmt: skip
    assert code == 1 and {Path(one["file"]).name for one in told["findings"]} == bad
    sizes = {
        str(one.id): one.size for one in read_predictions(here / "out" / "predictions.jsonl", None).images
    }
    long = next(name for name in sizes if name.startswith("longlong"))
    assert len(long) <= 200
    assert sizes == {
        "-dash": (20, 30), "alpha": (20, 30), "animated": (20, 30), "bits": (20, 30), "caf\\xe9": (20, 30),
        "cmyk": (20, 30), "grey16": (20, 30), "grey_alpha": (20, 30), "in__side__twin": (20, 30),
        "in__twin.png": (20, 30), "in__twin.png~2": (20, 30), "line": (1, 900), long: (20, 30),
        "new\nline": (20, 30), "näme ☃": (20, 30), "one": (1, 1), "palette": (20, 30), "rgb16": (10, 12),
        "tall": (5000, 3), "turned": (30, 20), "wide": (3, 5000),
    }  # fmt: skip
    assert told["predicted"] == len(sizes)
    for name in ("predictions.jsonl", "id_maps"):
        assert call(capsys, "predictions", "check", here / "out" / name)[0] == 0
    code, told, _ = call(capsys, *command)
    assert (code, told["predicted"], told["reused"]) == (1, 0, len(sizes))


def test_sixteen_bits_are_read_by_their_higher_byte(tmp_path: Path) -> None:
    sixteen_bit_rgb(tmp_path / "a.png")
    assert read_rgb(tmp_path / "a.png")[:, 5].tolist() == [[16 * y] * 3 for y in range(10)]


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        (("--threshold", "nan"), "predict.threshold"),
        (("--threshold", "2"), "predict.threshold"),
        (("--option", "threshold=x"), "inference.option"),
        (("--option", "detections=1.5"), "inference.option"),
        (("--option", "overlap=maybe"), "inference.option"),
        (("--option", "amp=x"), "inference.option"),
        (("--option", "compile=3"), "inference.option"),
        (("--option", "threads=x"), "inference.option"),
        (("--option", "scales=5"), "inference.option"),
        (("--option", "category_ids=1"), "model.categories"),
        (("--option", "unknown=1"), "model.options"),
        (("--outputs", "B-OC"), "inference.outputs"),
        (("--scales", "99999999"), "processor.value"),
        (("--device", "meta"), "model.device"),
        (("--device", "tpu"), "model.device"),
    ],
)
def test_options_of_predict(
    models: Path, here: Path, capsys: Capture, option: tuple[str, ...], kind: str
) -> None:
    refused(capsys, 2, kind, "predict", models / "mask2former", models / "picture.png", "-o", "out", *option)


# Full disks


def test_a_full_disk_while_predicting(models: Path, here: Path, capsys: Capture) -> None:
    Path("album").mkdir()
    for name in "abc":
        pixels(300, 400).save(Path("album") / f"{name}.png")
    command = ("predict", models / "mask2former", "album", "-o", "out")
    with files_of_at_most(50_000):
        code, told, _ = call(capsys, *command)
    assert code == 1 and "file size" in told["message"]
    assert not list(Path("out").rglob(".*")) and not Path("out/predictions.jsonl").exists()
    code, told, _ = call(capsys, *command)
    assert (code, told["images"], told["predicted"]) == (0, 3, 3)
    assert call(capsys, "predictions", "check", "out/predictions.jsonl")[0] == 0


def test_a_full_disk_while_converting(here: Path, capsys: Capture) -> None:
    torch.save(state_with(), "a.pth")
    with files_of_at_most(500_000):
        code, told, _ = call(capsys, "models", "convert", "a.pth", "out")
    assert code == 1 and "file size" in told["message"] and "model.safetensors" in told["message"]
    assert [path.name for path in here.iterdir()] == ["a.pth"]


# Training


@pytest.mark.parametrize(
    ("text", "code", "kind"),
    [
        ("", 1, "config.yaml"),
        ("- a\n", 1, "config.yaml"),
        ("base: tiny-mask2former\nfoo: 1\n", 2, "config.key"),
        ("base: tiny-mask2former\nrun: {sed: 3}\n", 2, "config.key"),
        ("base: tiny-mask2former\nrun: {seed: x}\n", 2, "config.value"),
        ("base: tiny-mask2former\noptimizer: {lr: .nan}\n", 2, "config.value"),
        ("base: tiny-mask2former\nrun: {seed: 1}\nrun: {seed: 2}\n", 1, "config.yaml"),
        ("a: &a [x, x]\nb: [*a, *a]\n", 1, "config.yaml"),
        ("a: " + "[" * 3000, 1, "config.yaml"),
        ("a: " + "[" * 400 + "]" * 400, 1, "config.yaml"),
        ("name: 2020-99-99\n", 1, "config.yaml"),
        ("run: {seed: " + "9" * 5000 + "}\n", 1, "config.yaml"),
        ("!!python/object/apply:os.mkdir [made]\n", 1, "config.yaml"),
        ("? [a, b]\n: 3\n", 1, "config.yaml"),
        ("base: a\n", 1, "config.base"),
        ("base: 5\n", 1, "config.base"),
        ("base: {a: b}\n", 1, "config.base"),
        ("base: null\n", 1, "config.base"),
    ],
)
def test_training_configs(here: Path, capsys: Capture, text: str, code: int, kind: str) -> None:
    Path("a.yaml").write_text(text)
    assert refused(capsys, code, kind, "train", "a.yaml", "--out", "out")["file"] == "a.yaml"
    assert [path.name for path in here.iterdir()] == ["a.yaml"]
