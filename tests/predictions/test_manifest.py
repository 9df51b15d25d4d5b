"""Manifests: there and back, every problem said at once, and what does not go together refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from entityseg.errors import InputError, MissingFileError
from entityseg.predictions.manifest import (
    MAX_BYTES,
    Manifest,
    check_manifest,
    read_manifest,
    read_statements,
    tool_versions,
    write_manifest,
)

LEAST: dict[str, Any] = {
    "format": "entityseg/manifest@1",
    "task": "refcoco-val@1",
    "split": "refcoco unc val",
    "model": "mine",
    "sha256": "0" * 64,
}
FULL: dict[str, Any] = {
    **LEAST,
    "protocol_version": 1,
    "checkpoint": "https://example.org/weights",
    "training_data": ["COCO", "EntitySeg"],
    "uses_split_in_training": False,
    "mask_source": "CropFormer-Swin-L",
    "mask_reduction": "union",
    "input_mode": "given-phrases",
    "vocabulary": "synonyms",
    "model_options": {"size": [1, 2]},
    "tools": {"numpy": "2.0"},
}


def put(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.mark.parametrize("value", [LEAST, FULL])
def test_there_and_back(tmp_path: Path, value: dict[str, Any]) -> None:
    first = read_manifest(put(tmp_path / "a.json", value))
    write_manifest(tmp_path / "b.json", first)
    assert read_manifest(tmp_path / "b.json") == first
    written = json.loads((tmp_path / "b.json").read_text())
    assert {key: written[key] for key in value} == value
    assert None not in written.values()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "esb/1"}, "format"),
        ({"task": "refcoco-val"}, "task: String should match"),
        ({"task": None}, "task: Input should be"),
        ({"split": 3}, "split"),
        ({"model": ""}, "model: String should have at least 1"),
        ({"mask_reduction": "all"}, "mask_reduction: Input should be 'union', 'first' or 'argmax'"),
        ({"uses_split_in_training": "no"}, "uses_split_in_training: Input should be a valid boolean"),
        ({"uses_split_in_training": 0}, "uses_split_in_training"),
        ({"training_data": "COCO"}, "training_data"),
        ({"training_data": [1]}, "training_data.0"),
        ({"sha256": "abc"}, "sha256"),
        ({"protocol_version": True}, "protocol_version"),
        ({"tools": {"numpy": 2}}, "tools.numpy"),
        ({"mask_reducton": "union"}, "Did you mean 'mask_reduction'"),
    ],
)
def test_wrong_fields(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_manifest(put(tmp_path / "m.json", {**LEAST, **changes}))


def test_all_problems_at_once(tmp_path: Path) -> None:
    wrong = {"task": "refcoco-val@1", "model": 5, "colour": "red", "sha256": "x"}
    with pytest.raises(InputError) as caught:
        read_manifest(put(tmp_path / "m.json", wrong))
    fields = {finding.field for finding in caught.value.findings}
    assert fields == {"model", "colour", "sha256", "split"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("[]", "Input should be"),
        ('{"task": ', "no valid JSON"),
        ('{"model": "a", "model": "b"}', "the key is there twice"),
        ('{"tools": {"numpy": "1", "numpy": "2"}}', "the key is there twice"),
        ('{"protocol_version": NaN}', "protocol_version"),
        ('{"notes": "' + "x" * MAX_BYTES + '"}', "at most 262,144 bytes"),
    ],
)
def test_no_manifest(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_manifest(put(tmp_path / "m.json", text))
    with pytest.raises(MissingFileError):
        read_manifest(tmp_path / "other.json")


def test_statements_are_what_a_run_cannot_know(tmp_path: Path) -> None:
    assert read_statements(put(tmp_path / "s.json", {"mask_reduction": "argmax"})).mask_reduction == "argmax"
    with pytest.raises(InputError, match="there is no such field"):
        read_statements(put(tmp_path / "s.json", {"sha256": "0" * 64}))


def check(**changes: Any) -> list[str]:
    manifest = Manifest.model_validate({**FULL, **changes})
    due = {"task": "refcoco-val@1", "split": "refcoco unc val", "sha256": "0" * 64}
    found = check_manifest(manifest, **due, input_mode="given-phrases")
    return [f"{finding.severity} {finding.field}" for finding in found]


def test_what_goes_together() -> None:
    assert check() == []
    assert check(protocol_version=None, input_mode=None, uses_split_in_training=None) == []
    assert check(protocol_version=2) == ["error protocol_version"]
    assert check(task="refcoco-val@2", protocol_version=2) == ["error task"]
    assert check(split="refcoco google val") == ["error split"]
    assert check(sha256="1" * 64) == ["error sha256"]
    assert check(input_mode="end-to-end") == ["error input_mode"]
    assert check(uses_split_in_training=True) == ["warning uses_split_in_training"]
    assert check(task="coco-panoptic@1", sha256="1" * 64) == ["error task", "error sha256"]


def test_tools_are_those_installed() -> None:
    import numpy as np

    versions = tool_versions()
    assert versions["numpy"] == np.__version__
    assert "pycocotools" in versions and all(versions.values())
