"""Panoptic quality: against a plain loop over pixels, published golden values, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from entityseg.data import load
from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, from_id_map, to_dense
from entityseg.metrics.panoptic import PanopticQuality
from entityseg.metrics.scoring_panoptic import score_panoptic
from entityseg.metrics.segments import match_segments
from entityseg.predictions.panoptic import read_panoptic_predictions, write_panoptic_predictions
from tests.metrics.cases import encode
from tests.metrics.panoptic_cases import CATEGORIES, Case, Side, plain_pq, random_cases, write_png, write_side

ISTHING = {3: True, 5: True, 8: False, 11: False}
MODES = {
    "canonical": {"stated_areas": False, "last_crowd_only": False},
    "panopticapi": {"stated_areas": True, "last_crowd_only": True},
}


def masks_of(side: Side) -> tuple[RunLengths, list[int]]:
    ids, masks = from_id_map(side.ids)
    order = np.searchsorted(ids, [segment["id"] for segment in side.segments])
    return masks[order], [segment["category_id"] for segment in side.segments]


def table_of(cases: list[Case], mode: Any = "canonical", *, dense: bool = False) -> PanopticQuality:
    table = PanopticQuality(ISTHING, mode)
    for case in cases:
        (gt, gt_cats), (pred, pred_cats) = masks_of(case.gt), masks_of(case.pred)
        table.update(
            case.image_id,
            to_dense(gt) if dense else gt,
            gt_cats,
            to_dense(pred) if dense else pred,
            pred_cats,
            crowd=np.array([segment["iscrowd"] for segment in case.gt.segments], bool),
            gt_areas=np.array([segment["area"] for segment in case.gt.segments], float),
        )
    return table


def scored(tmp_path: Path, cases: list[Case], **options: Any) -> Any:
    gt = write_side(tmp_path, "gt", cases, pred=False)
    return score_panoptic(gt, write_side(tmp_path, "pred", cases, pred=True), **{"bootstrap": 0, **options})


@pytest.mark.parametrize("mode", ["canonical", "panopticapi"])
@pytest.mark.parametrize("seed", range(25))
def test_equals_the_plain_loop(mode: str, seed: int) -> None:
    cases = random_cases(seed)
    want, stats = plain_pq(cases, **MODES[mode])
    table = table_of(cases, mode, dense=seed % 5 == 0)
    got = table.compute()
    assert {name: value is None for name, value in got.items()} == {n: v is None for n, v in want.items()}
    for name, value in want.items():
        assert got[name] == (None if value is None else pytest.approx(value, abs=1e-12)), name
    for category, values in table.per_category().items():
        _, *counts = stats.get(category, [0.0, 0, 0, 0])
        assert [values["TP"], values["FP"], values["FN"]] == counts


def test_the_cases_tell_the_modes_apart() -> None:
    """Otherwise the test above would show nothing about areas and crowds."""
    flags = [(False, False), (True, False), (False, True)]
    for one, other in ((flags[0], flags[1]), (flags[0], flags[2])):
        figures = [
            [plain_pq(random_cases(s), stated_areas=a, last_crowd_only=c)[1] for s in range(25)]
            for a, c in (one, other)
        ]
        assert figures[0] != figures[1]


@given(seed=st.integers(0, 10_000), cut=st.integers(0, 4), order=st.permutations(range(4)))
def test_shards_and_order_do_not_matter(seed: int, cut: int, order: list[int]) -> None:
    cases = random_cases(seed)
    whole = table_of(cases)
    first = table_of([cases[i] for i in order[:cut]]).merge(table_of([cases[i] for i in order[cut:]]))
    assert whole.compute() == first.compute() and whole.per_category() == first.per_category()
    assert whole.bootstrap(20) == first.bootstrap(20)


@given(seed=st.integers(0, 10_000))
def test_bounds_and_perfection(seed: int) -> None:
    cases = random_cases(seed)
    values = table_of(cases).compute()
    for suffix in ("", "_things", "_stuff"):
        pq, sq, rq = (values[name + suffix] for name in ("PQ", "SQ", "RQ"))
        if pq is not None and sq is not None and rq is not None:
            assert sq + rq - 1 <= pq + 1e-12 and pq <= min(sq, rq) + 1e-12
    for case in cases:
        case.pred = Side(case.gt.ids, case.gt.segments)
    perfect = table_of(cases).compute()
    assert set(perfect.values()) <= {1.0, None}


def test_weights_count_images_so_often() -> None:
    cases = random_cases(7)
    table = table_of(cases)
    doubled = random_cases(7)
    for case in doubled:
        case.image_id += 1000
    twice = table_of(cases[:1]).merge(table_of(doubled[:1]))
    assert table.compute({cases[0].image_id: 2}) == twice.compute()


def test_iou_of_exactly_one_half_is_no_match() -> None:
    gt, pred = RunLengths((1, 9), [0, 4], [0, 2]), RunLengths((1, 9), [0, 2], [0, 2])
    matches = match_segments(gt, [1], pred, [1])
    assert matches.counts[:3, 0].tolist() == [0, 1, 1]


def test_void_leaves_the_union_and_excuses() -> None:
    # The prediction has 4 pixels of the true 5 and 4 of void: IoU is 4 / 5, not 4 / 9.
    gt, pred = RunLengths((1, 20), [0, 5], [0, 2]), RunLengths((1, 20), [1, 9], [0, 2])
    gt = RunLengths((1, 20), [0, 5, 9, 20], [0, 2, 4])
    matches = match_segments(gt, [1, 2], pred, [1])
    assert matches.categories.tolist() == [1, 2] and matches.iou.tolist() == [0.8, 0.0]
    # 5 of 8 pixels on void are excused, 4 of 8 are not.
    for start, false in ((4, 0), (5, 1)):
        gt = RunLengths((1, 20), [0, start, 9, 20], [0, 2, 4])
        matches = match_segments(gt, [2, 2], pred, [1])
        assert matches.counts[1].tolist() == [false, 0]


def test_all_crowd_of_a_category_excuses_in_canonical_only() -> None:
    gt = RunLengths((1, 20), [0, 6, 6, 10, 10, 20], [0, 2, 4, 6])
    pred = RunLengths((1, 20), [2, 10, 10, 18], [0, 2, 4])
    crowd = np.array([True, True, False])
    options: dict[str, Any] = {"crowd": crowd}
    canonical = match_segments(gt, [1, 1, 2], pred, [1, 2], **options)
    published = match_segments(gt, [1, 1, 2], pred, [1, 2], mode="panopticapi", **options)
    assert canonical.counts[:3].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert published.counts[:3].tolist() == [[0, 1], [1, 0], [0, 0]]


def test_without_stuff_and_without_anything() -> None:
    square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    agnostic = PanopticQuality({1: None})
    agnostic.update("a", square, [1], square, [1])
    values = agnostic.compute()
    assert values["PQ"] == 1.0 and values["PQ_things"] is None and values["PQ_stuff"] is None
    nothing = PanopticQuality({1: True})
    assert set(nothing.compute().values()) == {None} and set(nothing.bootstrap(10).values()) == {None}


def test_overlap_is_refused_by_update() -> None:
    overlapping = RunLengths((1, 9), [0, 4, 2, 6], [0, 2, 4])
    with pytest.raises(InputError, match="predicted segments overlap"):
        PanopticQuality({1: True}).update(1, overlapping[:1], [1], overlapping, [1, 1])
    with pytest.raises(InputError, match="as many category ids"):
        PanopticQuality({1: True}).update(1, overlapping[:1], [1, 1], overlapping[:1], [1])


# Files.

GOLDEN = {
    0: [1.0] * 9,
    5: [0.561253, 0.621401, 0.781469, 0.356483, 0.476779, 0.562937, 0.766024, 0.766024, 1.0],
    20: [0.160675, 0.160675, 0.25, 0.0, 0.0, 0.0, 0.32135, 0.32135, 0.5],
}


@pytest.mark.parametrize("mode", ["canonical", "panopticapi"])
@pytest.mark.parametrize("rle", [False, True])
@pytest.mark.parametrize("shift", [0, 5, 20])
def test_golden_values_of_shifted_coco(
    shared_data: Path, tmp_path: Path, shift: int, rle: bool, mode: Any
) -> None:
    sample = shared_data / "coco_panoptic_sample"
    truth = json.loads((sample / "panoptic_examples.json").read_text())
    annotations, results = [], []
    (tmp_path / "pred").mkdir()
    for record in truth["annotations"]:
        rgb = np.asarray(Image.open(sample / "panoptic_examples" / record["file_name"])).astype(np.int64)
        ids = rgb @ [1, 256, 65536]
        moved = np.zeros_like(ids)
        moved[shift:, shift:] = ids[: ids.shape[0] - shift, : ids.shape[1] - shift]
        write_png(tmp_path / "pred" / record["file_name"], moved)
        segments = [segment for segment in record["segments_info"] if (moved == segment["id"]).any()]
        short = [{key: segment[key] for key in ("id", "category_id")} for segment in segments]
        annotations.append({**record, "segments_info": short})
        results += [
            {
                "image_id": record["image_id"],
                "category_id": segment["category_id"],
                "segmentation": encode(moved == segment["id"]),
            }
            for segment in segments
        ]
    pred = tmp_path / "pred.json"
    pred.write_text(json.dumps(results if rle else {"annotations": annotations}))
    result = score_panoptic(sample / "panoptic_examples.json", pred, mode=mode, bootstrap=0)
    names = [name + suffix for suffix in ("", "_things", "_stuff") for name in ("PQ", "SQ", "RQ")]
    assert [round(result[name] or 0.0, 6) for name in names] == GOLDEN[shift]
    if shift == 0:
        assert [result.counts[f"categories{kind}"] for kind in ("", "_things", "_stuff")] == [8, 4, 4]


@pytest.mark.parametrize("mode", ["canonical", "panopticapi"])
def test_files_equal_the_plain_loop(tmp_path: Path, mode: Any) -> None:
    cases = random_cases(3, n=9)
    one = scored(tmp_path, cases, mode=mode, threads=1, per_image=True, bootstrap=30)
    two = scored(tmp_path, cases, mode=mode, threads=2, per_image=True, bootstrap=30)
    assert one.to_json() == two.to_json()
    want = plain_pq(cases, **MODES[mode])[0]
    assert {name: pytest.approx(value) for name, value in want.items() if value is not None}.items() <= dict(
        one.values
    ).items()
    for case in cases:
        alone = plain_pq([case], **MODES[mode])[0]
        assert one.per_image[case.image_id]["PQ"] == pytest.approx(alone["PQ"])


def test_areas_that_differ_are_reported_with_their_figure(tmp_path: Path) -> None:
    cases = random_cases(3, n=9)
    stated = plain_pq(cases, stated_areas=True, last_crowd_only=False)[0]["PQ"]
    result = scored(tmp_path, cases)
    (warning,) = (w for w in result.warnings if w.kind == "area.differs")
    assert f"with the stated ones PQ would be {stated:.6f}" in warning.message
    assert result.counts["gt_areas_differ"] > 0


def test_missing_images_count_as_empty_and_panopticapi_refuses_them(tmp_path: Path) -> None:
    cases = random_cases(1, n=3)
    gt = write_side(tmp_path, "gt", cases, pred=False)
    pred = write_side(tmp_path, "pred", cases[:2], pred=True)
    result = score_panoptic(gt, pred, bootstrap=0)
    assert (result.counts.expected, result.counts.predicted, result.counts.missing) == (3, 2, 1)
    cases[2].pred = Side(np.zeros_like(cases[2].gt.ids))
    assert result["PQ"] == pytest.approx(plain_pq(cases, **MODES["canonical"])[0]["PQ"])
    with pytest.raises(InputError, match=f"image {cases[2].image_id}: there is no prediction"):
        score_panoptic(gt, pred, mode="panopticapi")


def test_true_segments_without_a_pixel_do_not_count_in_canonical(tmp_path: Path) -> None:
    """ADE20K's stuff that instances were pasted over."""
    ids = np.array([[1, 1, 2, 2]])
    segments = [{"id": k, "category_id": 3 + 2 * (k - 1), "area": 2, "iscrowd": 0} for k in (1, 2)]
    hidden = {"id": 9, "category_id": 8, "area": 4, "iscrowd": 0}
    case = Case(1, Side(ids, [*segments, hidden]), Side(ids, segments))
    canonical = scored(tmp_path, [case])
    assert canonical["PQ"] == 1.0 and [w.kind for w in canonical.warnings].count("segment.empty") == 1
    assert scored(tmp_path, [case], mode="panopticapi")["PQ"] == pytest.approx(2 / 3)


def simple(tmp_path: Path) -> tuple[Path, dict[str, Any], Path]:
    ids = np.array([[1, 1, 2, 2], [1, 1, 2, 0]])
    segments = [{"id": k, "category_id": 3, "area": 4, "iscrowd": 0} for k in (1, 2)]
    case = Case(7, Side(ids, segments), Side(ids, [dict(one) for one in segments]))
    gt = write_side(tmp_path, "gt", [case], pred=False)
    path = write_side(tmp_path, "pred", [case], pred=True)
    return gt, json.loads(path.read_text()), path


def refused(gt: Path, path: Path, content: Any) -> list[str]:
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as raised:
        score_panoptic(gt, path)
    for finding in raised.value.findings:
        assert finding.file and finding.remedy
    return [finding.kind for finding in raised.value.findings if finding.severity == "error"]


def test_wrong_records_are_all_named(tmp_path: Path) -> None:
    gt, content, path = simple(tmp_path)
    (record,) = content["annotations"]
    record["segments_info"][0]["category_id"] = 99
    record["segments_info"][1]["id"] = 1
    content["annotations"] += [{**record, "image_id": 8}, {"image_id": 7}]
    assert sorted(refused(gt, path, content)) == [
        "category.unknown", "id.duplicate", "image.unknown", "key.missing", "key.missing",
    ]  # fmt: skip


def test_png_and_json_that_disagree(tmp_path: Path) -> None:
    gt, content, path = simple(tmp_path)
    content["annotations"][0]["segments_info"][0]["id"] = 6
    assert refused(gt, path, content) == ["png.ids", "png.ids"]


@pytest.mark.parametrize(("shape", "words"), [((4, 2), "swapped"), ((4, 8), "high-resolution")])
def test_png_of_another_size(tmp_path: Path, shape: tuple[int, int], words: str) -> None:
    gt, content, path = simple(tmp_path)
    write_png(tmp_path / "pred" / "7.png", np.ones(shape, np.int64))
    assert refused(gt, path, content) == ["png.size"]
    with pytest.raises(InputError, match=words):
        score_panoptic(gt, path)


def test_missing_and_damaged_pngs(tmp_path: Path) -> None:
    gt, content, path = simple(tmp_path)
    file = tmp_path / "pred" / "7.png"
    file.write_bytes(file.read_bytes()[:40])
    assert refused(gt, path, content) == ["png.damaged"]
    file.unlink()
    with pytest.raises(InputError, match="no PNG of the panoptic JSON was found"):
        score_panoptic(gt, path)


def rle(ids: Any, value: int, **changes: Any) -> dict[str, Any]:
    return {"image_id": 7, "category_id": 3, "segmentation": encode(np.asarray(ids) == value), **changes}


def test_rle_predictions_and_what_is_refused_in_them(tmp_path: Path) -> None:
    gt, _, path = simple(tmp_path)
    ids = [[1, 1, 2, 2], [1, 1, 2, 0]]
    path.write_text(json.dumps([rle(ids, 1), rle(ids, 2)]))
    assert score_panoptic(gt, path, bootstrap=0)["PQ"] == 1.0
    with pytest.raises(UsageError, match=r"panoptic\.png_root"):
        score_panoptic(gt, path, bootstrap=0, png_root=tmp_path)
    path.write_text(json.dumps({"annotations": [rle(ids, 1), rle(ids, 2)]}))
    assert score_panoptic(gt, path, bootstrap=0)["PQ"] == 1.0
    assert refused(gt, path, [rle(ids, 1), rle(ids, 1)]) == ["pred.overlap"]
    assert refused(gt, path, [rle(ids, 5)]) == ["segment.empty"]
    assert refused(gt, path, [rle(ids, 1, category_id=4), rle(ids, 2, image_id=1)]) in (
        ["category.unknown", "image.unknown"],
        ["image.unknown", "category.unknown"],
    )
    without = {key: value for key, value in rle(ids, 1).items() if key != "category_id"}
    assert refused(gt, path, [without]) == ["category.unknown"]
    broken = {"size": [2, 4], "counts": "9"}
    assert len(refused(gt, path, [rle(ids, 1, segmentation=broken), rle(ids, 2, segmentation=broken)])) == 2


@pytest.mark.parametrize("content", ["", "{", "3", "{}", '{"annotations": 3}', '{"annotations": [3]}', "[3]"])
def test_files_that_are_none(tmp_path: Path, content: str) -> None:
    gt, _, path = simple(tmp_path)
    path.write_text(content)
    with pytest.raises(InputError):
        score_panoptic(gt, path)


def test_no_predictions_at_all(tmp_path: Path) -> None:
    gt, _, path = simple(tmp_path)
    for content in ("[]", '{"annotations": []}'):
        path.write_text(content)
        result = score_panoptic(gt, path, bootstrap=0)
        assert result["PQ"] == 0.0 and result.counts.missing == 1


def test_overlapping_ground_truth_is_refused(tmp_path: Path) -> None:
    _, _, path = simple(tmp_path)
    ids = [[1, 1, 2, 2], [1, 1, 2, 0]]
    annotations = [{**rle(ids, 1), "id": k, "iscrowd": 0, "area": 4, "bbox": [0, 0, 1, 1]} for k in (1, 2)]
    images = [{"id": 7, "file_name": "a.jpg", "height": 2, "width": 4}]
    gt = tmp_path / "instances.json"
    gt.write_text(json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES}))
    with pytest.raises(InputError, match="annotation 1 and annotation 2 share 4 pixels"):
        score_panoptic(gt, path)


def test_written_predictions_score_as_the_read_ones(tmp_path: Path) -> None:
    cases = random_cases(5)
    gt = load(write_side(tmp_path, "gt", cases, pred=False))
    pred = read_panoptic_predictions(write_side(tmp_path, "pred", cases, pred=True), gt)
    write_panoptic_predictions(tmp_path / "again", pred)
    first, again = (score_panoptic(gt, one, bootstrap=0) for one in (pred, tmp_path / "again"))
    assert first.values == again.values
    files = sorted(file for file in (tmp_path / "again").rglob("*") if file.is_file())
    before = [file.read_bytes() for file in files]
    write_panoptic_predictions(tmp_path / "again", pred)
    assert [file.read_bytes() for file in files] == before


def test_categories_that_are_no_integers_and_areas_that_do_not_fit_are_refused() -> None:
    square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    metric = PanopticQuality({1: True}, "panopticapi")
    with pytest.raises(InputError, match=r"category\.shape"):
        metric.update(1, square, [1.7], square, [1.2])  # Both would be cut to 1.
    with pytest.raises(InputError, match=r"area\.shape"):
        metric.update(1, square, [1], square, [1], gt_areas=np.array([4.0, 4.0]))
