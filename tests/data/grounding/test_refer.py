"""REFER's pickles and gRefCOCO's JSON to the normalised JSON."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from entityseg.cli.main import run
from entityseg.data.grounding import refer
from entityseg.data.grounding.expressions import read_expressions
from entityseg.data.grounding.grefcoco import read_grefcoco
from entityseg.data.grounding.refer import convert_refer, read_refer
from entityseg.errors import InputError, MissingFileError


def ref(ref_id: int, split: str, *, ann_id: Any = None, sentences: int = 2) -> dict[str, Any]:
    sent_ids = [10 * ref_id + k for k in range(sentences)]
    return {
        "ref_id": ref_id, "ann_id": ref_id if ann_id is None else ann_id, "category_id": 1, "image_id": 1,
        "file_name": "COCO_train2014_000000000001_9.jpg", "split": split, "sent_ids": sent_ids,
        "sentences": [
            {"sent_id": k, "sent": f"dog {k}", "raw": f"Dog {k}", "tokens": ["dog", str(k)]} for k in sent_ids
        ],
    }  # fmt: skip


REFS = [ref(1, "val"), ref(2, "testA"), ref(3, "val", sentences=1), ref(4, "testB"), ref(5, "train")]


def dataset(folder: Path, refs: Any = REFS, protocol: int = 2, name: str = "refs(unc).p") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(refs, protocol))
    box = [[0, 0, 4, 0, 4, 4, 0, 4]]
    instances = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 6, "width": 8}],
        "annotations": [{"id": k, "image_id": 1, "category_id": 1, "segmentation": box} for k in range(1, 6)],
        "categories": [{"id": 1, "name": "dog"}],
    }
    (folder / "instances.json").write_text(json.dumps(instances))
    return folder


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_splits_are_whole_words_and_units_sentences(tmp_path: Path, protocol: int) -> None:
    truth = read_refer(dataset(tmp_path / "refcoco", protocol=protocol), "val", check_counts=False)
    assert [one.expr_id for one in truth.expressions] == [10, 11, 30]
    assert truth.expressions[0].ann_ids == (1,) and truth.expressions[0].text == "dog 10"
    assert (truth.dataset, truth.split_by, truth.split) == ("refcoco", "unc", "val")
    with pytest.raises(InputError, match="no such split.*testA, testB, train, val"):
        read_refer(tmp_path / "refcoco", "test")


def test_counts_of_the_published_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = dataset(tmp_path / "refcoco")
    with pytest.raises(InputError, match="refcoco/unc/val has 2 refs, the published split has 3,811"):
        read_refer(folder, "val")
    monkeypatch.setitem(refer.REF_COUNTS, ("refcoco", "unc", "val"), 2)
    truth = read_refer(folder, "val")
    (warning,) = truth.warnings
    assert warning.severity == "warning" and "3 sentences, not 10,834" in warning.message
    assert refer.REF_COUNTS.keys() == refer.SENTENCE_COUNTS.keys()


def test_conversion_once(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "refcoco")
    written = convert_refer(folder, tmp_path / "out", check_counts=False)
    assert [path.name for path in written] == [
        f"refcoco_unc_{s}.json" for s in ("testA", "testB", "train", "val")
    ]
    again = read_expressions(written[-1], folder / "instances.json")
    assert again.expressions == read_refer(folder, "val", check_counts=False).expressions


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dataset(tmp_path / "refcoco")
    command = ["data", "refs", str(folder), "--out", str(tmp_path / "out")]
    assert run(command) == 1 and "published split" in capsys.readouterr().err
    assert run([*command, "--no-counts", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["written"]) == 4


def test_grefcoco(tmp_path: Path) -> None:
    refs = [ref(1, "val", ann_id=[1, 2]), ref(2, "val", ann_id=[-1]), ref(3, "train", ann_id=[3])]
    folder = dataset(tmp_path)
    (folder / "grefs(unc).json").write_text(json.dumps(refs))
    truth = read_grefcoco(folder, "val")
    assert [one.ann_ids for one in truth.expressions] == [(1, 2), (1, 2), (), ()]
    with pytest.raises(InputError, match="no such split"):
        read_grefcoco(folder, "testC")


@pytest.mark.parametrize(
    ("refs", "kind"),
    [
        ({}, "refs.type"),
        ([3, *REFS], "record.type"),
        ([{**REFS[0], "split": None}, *REFS], "key.missing"),
        ([{**REFS[0], "ref_id": "1"}], "id.type"),
        ([{**REFS[0], "ann_id": "1"}], "id.type"),
        ([{**REFS[0], "ann_id": 77}], "annotation.unknown"),
        ([{**REFS[0], "image_id": 9}], "image.unknown"),
        ([{**REFS[0], "sentences": []}], "key.missing"),
        ([{**REFS[0], "sentences": [{"sent_id": 1}]}], "text.type"),
        ([{**REFS[0], "sentences": [{"sent_id": 1, "sent": "\ud800"}]}], "text.type"),
        ([REFS[0], REFS[0]], "id.duplicate"),
    ],
)
def test_bad_refs_are_named(tmp_path: Path, refs: Any, kind: str) -> None:
    with pytest.raises(InputError) as raised:
        read_refer(dataset(tmp_path / "refcoco", refs), "val", check_counts=False)
    assert kind in [one.kind for one in raised.value.findings] or kind == "refs.type"


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="refs"):
        read_refer(tmp_path, "val")
    (dataset(tmp_path) / "instances.json").unlink()
    with pytest.raises(MissingFileError, match="instances.json"):
        read_refer(tmp_path, "val")
