"""`entityseg score entity`: what it prints, what it refuses."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from entityseg.cli.main import run
from entityseg.masks import from_dense, to_coco

# pycocotools 2.0.11 with numpy 2: its decoder's `__array__` has no `copy` parameter.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Capture = pytest.CaptureFixture[str]
NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR@1", "AR@10", "AR@100", "AR@100@.5", "AP@300")
SIZE = (120, 160)


def cells(shift: int) -> np.ndarray:
    """Cut the image into 4 x 4 cells whose borders are moved, and leave every third one out."""
    rows, columns = (np.arange(SIZE[0])[:, None] + shift) // 30, (np.arange(SIZE[1]) + 2 * shift) // 40
    ids = rows * 8 + columns
    return np.array([ids == i for i in np.unique(ids) if i % 3])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Write a ground truth of three images, disjoint predictions and overlapping ones."""
    images, annotations, disjoint, overlapping = [], [], [], []
    for image_id in (1, 2, 3):
        images.append({"id": image_id, "file_name": f"{image_id}.jpg", "height": SIZE[0], "width": SIZE[1]})
        for mask in to_coco(from_dense(cells(0))):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": 1,
                    "iscrowd": 0,
                    "segmentation": mask,
                }
            )
        if image_id == 3:
            continue
        for i, mask in enumerate(to_coco(from_dense(cells(image_id)))):
            record = {
                "image_id": image_id,
                "category_id": 1,
                "segmentation": mask,
                "score": 0.9 - i / 100 - image_id / 1000,
            }
            disjoint.append(record)
            overlapping += [record, {**record, "score": 0.855 - image_id / 10_000}] if i == 0 else [record]
    written = {
        "gt": {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "entity"}]},
        "disjoint": disjoint,
        "overlapping": overlapping,
    }
    for name, value in written.items():
        for record in value["annotations"] if isinstance(value, dict) else value:
            counts = record["segmentation"]["counts"]
            record["segmentation"]["counts"] = counts.decode() if isinstance(counts, bytes) else counts
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    return {name: tmp_path / f"{name}.json" for name in written}


def score(files: dict[str, Path], pred: str, *options: str) -> int:
    return run(["score", "entity", "--gt", str(files["gt"]), "--pred", str(files[pred]), *options])


def as_json(capsys: Capture, files: dict[str, Path], pred: str, *options: str) -> dict[str, Any]:
    assert score(files, pred, "--json", *options) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def reference(files: dict[str, Path], pred: str) -> list[float]:
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO(str(files["gt"]))
        for annotation in gt.anns.values():
            # pycocotools wants an area; ours counts the mask's.
            annotation["area"] = float(np.asarray(gt.annToMask(annotation)).sum())
        evaluation = COCOeval(gt, gt.loadRes(str(files[pred])), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def test_json_has_the_figures_of_pycocotools(files: dict[str, Path], capsys: Capture) -> None:
    result = as_json(capsys, files, "disjoint", "--bootstrap", "0")
    want = reference(files, "disjoint")
    assert [result[name] for name in NAMES[:9]] == pytest.approx(
        [None if v == -1 else v for v in want[:9]], abs=1e-12
    )
    assert 0 < result["AP"] < 1
    assert result["metric"] == "AP^e"
    assert result["intervals"] == {}
    counts = result["counts"]
    assert [counts[name] for name in ("expected", "predicted", "missing", "empty")] == [3, 2, 1, 0]


def test_compat_mode_by_both_names(files: dict[str, Path], capsys: Capture) -> None:
    want = reference(files, "overlapping")
    for option in (("--mode", "pycocotools"), ("--compat", "pycocotools")):
        result = as_json(capsys, files, "overlapping", "--allow-overlap", "--bootstrap", "0", *option)
        assert result["mode"] == "pycocotools"
        assert result["metric"] == "AP"
        assert [result[name] for name in NAMES[:3]] == pytest.approx(want[:3], abs=1e-12)


def test_undefined_figures_are_null(files: dict[str, Path], capsys: Capture) -> None:
    result = as_json(capsys, files, "disjoint", "--bootstrap", "10")
    assert result["APl"] is None
    assert result["intervals"]["APl"] is None
    assert score(files, "disjoint", "--bootstrap", "10") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("APl"))
    assert line.split()[1:] == ["-", "-"]


def test_intervals_depend_on_the_seed_only(files: dict[str, Path], capsys: Capture) -> None:
    found = [
        as_json(capsys, files, "disjoint", *options)["intervals"]["AP"]
        for options in ([], [], ["--threads", "1"])
    ]
    assert found[0] == found[1] == found[2]
    assert found[0][0] < found[0][1]
    assert (
        as_json(capsys, files, "disjoint", "--seed", "1", "--bootstrap", "7")["intervals"]["AP"] != found[0]
    )


def test_table_for_people(files: dict[str, Path], capsys: Capture) -> None:
    value = as_json(capsys, files, "disjoint")
    assert score(files, "disjoint", "--per-image") == 0
    shown = capsys.readouterr()
    lines = [line.split() for line in shown.out.splitlines()]
    low, high = value["intervals"]["AP"]
    assert ["AP", f"{100 * value['AP']:.2f}", f"{100 * low:.2f}", "-", f"{100 * high:.2f}"] in lines
    assert "images: 3 expected, 2 predicted, 1 missing, 0 empty" in shown.out
    assert ["3", *["0.00"] * 5] in lines


def test_per_image_in_json(files: dict[str, Path], capsys: Capture) -> None:
    rows = as_json(capsys, files, "disjoint", "--per-image", "--bootstrap", "0")["per_image"]
    assert [row["image_id"] for row in rows] == [1, 2, 3]
    assert rows[0]["AP"] > rows[1]["AP"] > rows[2]["AP"] == 0


def test_overlap_is_refused_and_named(files: dict[str, Path], capsys: Capture) -> None:
    assert score(files, "overlapping", "--json") == 1
    shown = capsys.readouterr()
    finding = json.loads(shown.out)["findings"][0]
    assert (finding["kind"], finding["record"]) == ("pred.overlap", "image 1")
    assert "predictions[0] and predictions[1] share" in finding["message"]
    assert "--resolve-overlap" in shown.err
    assert "Traceback" not in shown.err


def test_overlap_options(files: dict[str, Path], capsys: Capture) -> None:
    resolved = as_json(capsys, files, "overlapping", "--resolve-overlap", "--bootstrap", "0")
    disjoint = as_json(capsys, files, "disjoint", "--bootstrap", "0")
    # The copy of a mask with the lower score loses every pixel.
    assert {name: resolved[name] for name in NAMES} == {name: disjoint[name] for name in NAMES}
    assert resolved["counts"]["pred_overlapping"] == 2
    allowed = as_json(capsys, files, "overlapping", "--allow-overlap", "--bootstrap", "0")
    assert allowed["metric"] == "AP"
    assert allowed["AP"] < disjoint["AP"]
    assert score(files, "overlapping", "--allow-overlap", "--resolve-overlap") == 2


def test_ground_truth_against_itself_is_perfect(files: dict[str, Path], capsys: Capture) -> None:
    truth = json.loads(files["gt"].read_text())
    records = [{**annotation, "score": 1.0} for annotation in truth["annotations"]]
    files["disjoint"].write_text(json.dumps(records))
    result = as_json(capsys, files, "disjoint", "--bootstrap", "50")
    assert (result["AP"], result["AP50"], result["AR@100"]) == (1.0, 1.0, 1.0)
    assert result["intervals"]["AP"] == [1.0, 1.0]


def test_warnings_go_to_stderr(files: dict[str, Path], capsys: Capture) -> None:
    truth = json.loads(files["gt"].read_text())
    truth["annotations"].append({**truth["annotations"][0], "id": 1000})
    files["gt"].write_text(json.dumps(truth))
    assert score(files, "disjoint", "--json", "--bootstrap", "0") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["counts"]["gt_overlapping"] == 1
    assert "warning:" in shown.err
    assert "gt.overlap" in shown.err


@pytest.mark.parametrize("which", ["gt", "disjoint"])
@pytest.mark.parametrize(
    "data", [b"", b"[{", b"\xff\xfe", b"[" * 5000, b'{"images": 5}', b'[{"image_id": 99}]']
)
def test_broken_files_are_findings(which: str, data: bytes, files: dict[str, Path], capsys: Capture) -> None:
    files[which].write_bytes(data)
    code = score(files, "disjoint", "--json")
    assert code in (1, 2)
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert result["findings"]
    assert all(finding["remedy"] for finding in result["findings"])
    assert "Traceback" not in shown.err


def test_every_broken_mask_is_listed(files: dict[str, Path], capsys: Capture) -> None:
    records = json.loads(files["disjoint"].read_text())
    for record in records:
        record["segmentation"]["counts"] += "1"
    files["disjoint"].write_text(json.dumps(records))
    assert score(files, "disjoint", "--json") == 1
    result = json.loads(capsys.readouterr().out)
    assert result["errors"] == len(records)
    assert {finding["kind"] for finding in result["findings"]} == {"rle.total"}


def test_missing_files(files: dict[str, Path], capsys: Capture) -> None:
    files["disjoint"].unlink()
    assert score(files, "disjoint") == 1
    assert "disjoint.json" in capsys.readouterr().err
    files["gt"].unlink()
    assert score(files, "disjoint") == 1
    assert "gt.json" in capsys.readouterr().err


def test_as_a_process_from_an_empty_folder(files: dict[str, Path], tmp_path: Path, capsys: Capture) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    line = [sys.executable, "-m", "entityseg.cli.main", "score", "entity", "--json", "--bootstrap", "20"]
    line += ["--gt", str(files["gt"]), "--pred", str(files["disjoint"])]
    done = subprocess.run(line, cwd=empty, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout) == as_json(capsys, files, "disjoint", "--bootstrap", "20")
    assert list(empty.iterdir()) == []
