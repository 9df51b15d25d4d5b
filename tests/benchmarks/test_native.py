"""Compat modes on what the published models themselves give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from entityseg.benchmarks.harness.families import adapter
from entityseg.benchmarks.harness.opening import open_truth
from entityseg.benchmarks.harness.run import run
from entityseg.benchmarks.harness.scoring import score
from entityseg.benchmarks.tasks import get
from entityseg.errors import InputError
from entityseg.masks import from_dense, to_dense
from entityseg.masks.coco import from_coco, to_coco
from entityseg.metrics.scoring_narrative import score_narrative
from entityseg.predictions.narrative import write_narrative


def _squashed(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its mask at 480 x 480, by nearest neighbour, as Pillow does it."""
    if record["segmentation"] is None:
        return record
    mask = to_dense(from_coco([record["segmentation"]]))[0]
    small = np.asarray(Image.fromarray(mask).resize((480, 480), Image.Resampling.NEAREST))
    return {**record, "segmentation": to_coco(from_dense(small[None]))[0]}


def test_lavt_masks_of_480_pixels(mini: Path, tmp_path: Path) -> None:
    task = get("mini-refcoco-val")
    done = run(task, "oracle", tmp_path / "run", data=mini, bootstrap=0, model_options={"noise": 0.4})
    records = json.loads((done.folder / "predictions.json").read_text())
    native = tmp_path / "native.json"
    native.write_text(json.dumps([_squashed(record) for record in records]))
    whole = score(task, done.folder / "predictions.json", data=mini, bootstrap=0, mode="lavt480")
    found = score(task, native, data=mini, bootstrap=0, mode="lavt480")
    assert found.values == whole.values
    assert found.counts == whole.counts
    with pytest.raises(InputError, match="480"):
        score(task, native, data=mini, bootstrap=0)
    first = next(k for k, record in enumerate(records) if record["segmentation"] is not None)
    records[first] = _squashed(records[first])
    native.write_text(json.dumps(records))
    with pytest.raises(InputError, match="480"):
        score(task, native, data=mini, bootstrap=0, mode="lavt480")


def test_pictures_of_native_masks(mini: Path, tmp_path: Path) -> None:
    task = get("mini-refcoco-val")
    done = run(task, "oracle", tmp_path / "run", data=mini, bootstrap=0)
    records = json.loads((done.folder / "predictions.json").read_text())
    native = tmp_path / "native.json"
    native.write_text(json.dumps([_squashed(record) for record in records]))
    side = adapter(open_truth(task, mini))
    (one,) = side.pictures(native, [records[0]["image_id"]])
    assert one.pred.size == one.size == one.gt.size


def test_png_baseline_finds_segments_by_their_box(tmp_path: Path) -> None:
    """A ring and the square that fills its box: the baseline takes the ring, which comes first, for both."""
    ids = np.zeros((64, 64), np.uint8)
    ids[8:56, 8:56] = 1
    ids[16:48, 16:48] = 2
    # Four corners make the box of 2 that of 1.
    for row in (8, 55):
        for column in (8, 55):
            ids[row, column] = 2
    folder = tmp_path / "annotations" / "panoptic_val2017"
    folder.mkdir(parents=True)
    Image.fromarray(np.dstack([ids, ids * 0, ids * 0])).save(folder / "1.png")
    segments = [
        {"id": one, "category_id": 1, "area": int((ids == one).sum()), "bbox": [8, 8, 48, 48], "iscrowd": 0}
        for one in (1, 2)
    ]
    panoptic = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 64, "width": 64}],
        "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": segments}],
        "categories": [{"id": 1, "name": "thing", "isthing": 1}],
    }
    (tmp_path / "annotations" / "panoptic_val2017.json").write_text(json.dumps(panoptic))
    spoken = {"utterance": "the square", "segment_ids": ["2"], "noun": True, "plural": False}
    gt = tmp_path / "annotations" / "png_coco_val2017.json"
    gt.write_text(json.dumps([{"image_id": 1, "caption": "the square", "segments": [spoken]}]))
    values = {}
    for one in (1, 2):
        path = tmp_path / f"{one}.json"
        mask = from_dense((ids == one)[None])
        phrase = {"text": "the square", "mask": mask, "char_span": None, "phrase_idx": 0}
        write_narrative(path, [(0, 1, [phrase])])
        for mode in ("canonical", "png2021"):
            result = score_narrative(gt, path, mode=mode, bootstrap=0)  # type: ignore[arg-type]
            values[mode, one] = result.values["AR"] or 0.0
    assert values["canonical", 2] == 1 > values["canonical", 1]
    assert values["png2021", 1] > 0.8 > values["png2021", 2]
