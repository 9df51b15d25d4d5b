"""Folders of weights as models of the harness."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from entityseg import registry
from entityseg.baselines.inference.classes import match_categories
from entityseg.baselines.inference.segmenter import (
    CropFormerSegmenter,
    FolderSegmenter,
    Mask2FormerSegmenter,
    VITASegmenter,
    VMask2FormerSegmenter,
)
from entityseg.cli.main import run
from entityseg.data.records import Category
from entityseg.errors import EntitySegError, InputError, MissingFileError, UsageError
from entityseg.protocols import Segmenter, UsesCategories
from tests.baselines.inference.conftest import Make

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["mask2former", "cropformer"])
def test_models_are_registered(weights: Make, name: str) -> None:
    model = registry.load(name, {"path": str(weights(name)), "device": "cpu"})
    assert isinstance(model, Segmenter) and isinstance(model, UsesCategories)
    assert model.segment(IMAGE).masks.size == (60, 80)


@pytest.mark.parametrize(
    "kind", [Mask2FormerSegmenter, CropFormerSegmenter, VMask2FormerSegmenter, VITASegmenter]
)
def test_every_family_has_a_segmenter_of_its_own(weights: Make, kind: type[FolderSegmenter]) -> None:
    assert kind.family is not None
    assert kind(weights(kind.family)).segment(IMAGE).masks.size == (60, 80)
    other = "cropformer" if kind.family != "cropformer" else "vita"
    with pytest.raises(UsageError, match=r"model\.family"):
        kind(weights(other))


def test_the_harness_runs_them(
    weights: Make, mini: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = weights("cropformer")
    command = [
        "bench", "run", "mini-entity-low", "--model", "cropformer", "--option", f"path={folder}", "--data",
        str(mini), "--out", str(tmp_path / "run"), "--bootstrap", "0",
    ]  # fmt: skip
    assert run(command) == 0, capsys.readouterr().err
    assert "AP^e" in capsys.readouterr().out


def test_the_fingerprint_is_of_configuration_weights_and_preprocessing(weights: Make, tmp_path: Path) -> None:
    """What else lies in the folder, such as logs, is no other model."""
    folder = Path(shutil.copytree(weights("mask2former"), tmp_path / "model"))
    found = [Mask2FormerSegmenter(folder).fingerprint()]
    (folder / "log.txt").write_text("step 7")
    assert Mask2FormerSegmenter(folder).fingerprint() == found[0]
    for name in ("config.json", "preprocessor_config.json"):
        (folder / name).write_text((folder / name).read_text() + "\n")
        found.append(Mask2FormerSegmenter(folder).fingerprint())
    model = Mask2FormerSegmenter(folder)
    with open(folder / "model.safetensors", "ab") as file:
        file.write(b"0")
    assert len({*found, model.fingerprint()}) == 4


def test_class_indices_become_category_ids(weights: Make) -> None:
    folder = weights("mask2former", task="instance", num_labels=3)
    categories = [Category(30, "a"), Category(10, "b"), Category(20, "c")]
    model = FolderSegmenter(folder)
    indices = model.segment(IMAGE).labels
    model.use_categories(categories)
    np.testing.assert_array_equal(model.segment(IMAGE).labels, np.array([30, 10, 20])[indices])
    given = FolderSegmenter(folder, category_ids=[1, 2, 3])
    np.testing.assert_array_equal(given.segment(IMAGE).labels, indices + 1)
    with pytest.raises(UsageError, match="does not have"):
        given.use_categories(categories)
    with pytest.raises(UsageError, match="3 classes"):
        FolderSegmenter(folder, category_ids=[1, 2])
    for nonsense in (["a", "b", "c"], [1.5, 2, 3], [-1, 2, 3], 7, "123"):
        with pytest.raises(UsageError, match=r"model\.categories"):
            FolderSegmenter(folder, category_ids=nonsense)  # type: ignore[arg-type]
    np.testing.assert_array_equal(
        FolderSegmenter(folder, category_ids=np.array([1, 2, 3])).segment(IMAGE).labels,  # type: ignore[arg-type]
        indices + 1,
    )


def test_labels_have_names(weights: Make) -> None:
    folder = weights("mask2former", task="instance", num_labels=3)
    model = FolderSegmenter(folder)
    assert model.names == {}
    model.use_categories([Category(30, "a"), Category(10, "b"), Category(20, "c")])
    assert model.names == {30: "a", 10: "b", 20: "c"}
    named = weights("mask2former", task="instance", num_labels=2, id2label={0: "dog", 1: "cat"})
    assert FolderSegmenter(named).names == {0: "dog", 1: "cat"}
    assert FolderSegmenter(named, category_ids=[5, 3]).names == {5: "dog", 3: "cat"}
    assert FolderSegmenter(named, task="entity").names == {}


def test_thresholds_of_panoptic_results_can_be_given(weights: Make) -> None:
    folder = weights("mask2former", task="panoptic", num_labels=4, things=[0, 1])
    every = FolderSegmenter(folder, object_threshold=0.0, overlap_threshold=0.0)
    assert len(every.segment(IMAGE).masks) > 0
    assert len(FolderSegmenter(folder, object_threshold=1.0).segment(IMAGE).masks) == 0


def test_categories_say_what_is_stuff_where_the_model_does_not(weights: Make) -> None:
    named = {"task": "panoptic", "id2label": {0: "sky", 1: "dog"}}
    folder, told = weights("mask2former", **named), weights("mask2former", **named, things=[1])
    low = {"object_threshold": 0.0, "overlap_threshold": 0.0}
    model, other = FolderSegmenter(folder, **low), FolderSegmenter(told, **low)  # type: ignore[arg-type]
    for one in (model, other):
        # Every query is a segment of the first class.
        torch.nn.init.zeros_(one.model.image_decoder.head.classes.weight)
        one.model.image_decoder.head.classes.bias.data = torch.tensor([2.0, 0.0, 0.0])
    apart = model.segment(IMAGE)
    assert (apart.labels == 0).sum() > 1
    model.use_categories([Category(5, "sky", isthing=False), Category(6, "dog", isthing=True)])
    joined = model.segment(IMAGE)
    assert (joined.labels == 5).sum() == 1
    assert joined.masks[joined.labels == 5].areas[0] == apart.masks[apart.labels == 0].areas.sum()
    # What the configuration says stays.
    other.use_categories([Category(5, "sky", isthing=True), Category(6, "dog", isthing=False)])
    np.testing.assert_array_equal(other.segment(IMAGE).labels, joined.labels)


def test_entity_models_need_no_categories(weights: Make) -> None:
    model = FolderSegmenter(weights("mask2former"))
    model.use_categories([Category(5, "dog"), Category(6, "cat")])
    assert (model.segment(IMAGE).labels == -1).all()


def test_matching_names() -> None:
    def named(*names: str) -> list[Category]:
        return [Category(10 * i, name) for i, name in enumerate(names)]

    # Names repeat in EntitySeg: in the same order, that is no trouble.
    assert match_categories({0: "pipe", 1: "pipe"}, named("pipe", "pipe")) == [0, 10]
    assert match_categories({0: "c", 1: "a"}, named("a", "b", "c")) == [20, 0]
    assert match_categories({0: "LABEL_0", 1: "LABEL_1"}, named("a", "b")) == [0, 10]
    assert match_categories({0: "0", 1: "1"}, named("a", "b")) == [0, 10]
    for names, known in (
        ({0: "a", 1: "x"}, named("a", "b")),
        ({0: "pipe"}, named("pipe", "pipe")),
        ({0: "LABEL_0"}, named("a", "b")),
    ):
        with pytest.raises(UsageError, match=r"model\.categories"):
            match_categories(names, known)


def test_wrong_folders_are_refused(weights: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds a CropFormer.*cropformer"):
        Mask2FormerSegmenter(weights("cropformer"))
    with pytest.raises(MissingFileError):
        FolderSegmenter(tmp_path)
    half = tmp_path / "half"
    half.mkdir()
    (half / "config.json").write_bytes((weights("cropformer") / "config.json").read_bytes())
    with pytest.raises(InputError, match="weights"):
        FolderSegmenter(half)
    with pytest.raises(UsageError, match=r"model\.device"):
        FolderSegmenter(weights("mask2former"), device="abacus")
    with pytest.raises(UsageError, match=r"inference\.option"):
        FolderSegmenter(weights("mask2former"), outputs="B")  # type: ignore[arg-type]
    with pytest.raises(EntitySegError, match=r"model\.options"):
        registry.load("mask2former", {"path": str(tmp_path), "colour": "red"})


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    import entityseg.baselines.extra as extra

    def find_spec(name: str) -> object:
        return None if name == "torch" else importlib.util.find_spec(name)

    monkeypatch.setattr(extra, "find_spec", find_spec)
    with pytest.raises(UsageError, match=r"need torch.*pip install 'entityseg\[models\]'"):
        FolderSegmenter("anywhere")


def test_importing_the_segmenters_imports_no_torch() -> None:
    import subprocess

    code = (
        "import sys, entityseg.baselines.inference.segmenter, entityseg.baselines.cli.predict;"
        "print([n for n in ('torch', 'transformers', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
