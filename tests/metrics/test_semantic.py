"""Semantic figures: against confusion matrices counted pixel by pixel, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from entityseg.data import load
from entityseg.errors import Findings, InputError
from entityseg.masks import RunLengths, from_id_map
from entityseg.metrics.class_pixels import count_labels
from entityseg.metrics.scoring_semantic import score_semantic
from entityseg.metrics.semantic import SemanticIoU
from entityseg.predictions.semantic import category_of_label, read_semantic_predictions, write_semantic_map
from tests.metrics.cases import encode
from tests.strategies import pixels_of

K = 6
MODES = ["canonical", "d2-semseg", "mmseg"]
Maps = list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]


def random_maps(seed: int, n: int = 4) -> Maps:
    """Label maps with ignored pixels, pixels without prediction, and classes on one side only."""
    rng = np.random.default_rng(seed)
    maps = []
    for _ in range(n):
        shape = tuple(rng.integers(2, 12, 2).tolist())
        gt = rng.choice([*range(K - 1), 255], shape, p=[*[0.8 / (K - 1)] * (K - 1), 0.2])
        noise = rng.choice([*range(1, K), 255], shape)
        pred = np.where(rng.random(shape) < rng.choice([0.0, 0.3, 0.9]), noise, np.where(gt == 255, 0, gt))
        maps.append((gt.astype(np.uint8), pred.astype(np.uint8)))
    return maps


def plain(maps: Maps, mode: str) -> dict[str, float | None]:
    """The figures from a confusion matrix [prediction, truth] whose last row and column are "none"."""
    matrix = np.zeros((K + 1, K + 1))
    for gt, pred in maps:
        for g, p in zip(gt.ravel().tolist(), pred.ravel().tolist(), strict=True):
            matrix[min(p, K), min(g, K)] += 1
    tp, pred_pixels = np.diag(matrix)[:K], matrix[:K, :K].sum(axis=1)
    # detectron2 cuts the row of "none" off too, so a pixel without prediction is not even true.
    gt_pixels = matrix[:K, :K].sum(axis=0) if mode == "d2-semseg" else matrix[:, :K].sum(axis=0)
    union = gt_pixels + pred_pixels - tp
    valid = union > 0 if mode == "mmseg" else gt_pixels > 0
    if not gt_pixels.any():
        iou = [0.0] if valid.any() else []
        return {"mIoU": iou[0] if iou else None, "fwIoU": None, "mACC": None, "pACC": None}
    true = gt_pixels > 0
    return {
        "mIoU": float(np.mean(tp[valid] / union[valid])),
        "fwIoU": float(np.sum(gt_pixels[true] / gt_pixels.sum() * tp[true] / union[true])),
        "mACC": float(np.mean(tp[true] / gt_pixels[true])),
        "pACC": float(tp.sum() / gt_pixels.sum()),
    }


def table_of(maps: Maps, mode: Any = "canonical", first: int = 0) -> SemanticIoU:
    table = SemanticIoU(mode)
    for image_id, (gt, pred) in enumerate(maps, first):
        table.update_maps(image_id, gt, pred)
    return table


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(15))
def test_equals_the_confusion_matrix(mode: str, seed: int) -> None:
    maps = random_maps(seed)
    got, want = table_of(maps, mode).compute(), plain(maps, mode)
    assert got == {name: None if v is None else pytest.approx(v, abs=1e-12) for name, v in want.items()}


def test_the_modes_differ_on_the_cases() -> None:
    figures = [[plain(random_maps(seed), mode)["mIoU"] for seed in range(15)] for mode in MODES]
    assert figures[0] != figures[1] and figures[0] != figures[2] and figures[1] != figures[2]


@given(seed=st.integers(0, 10_000), cut=st.integers(0, 4), order=st.permutations(range(4)))
def test_shards_and_order_do_not_matter(seed: int, cut: int, order: list[int]) -> None:
    maps = random_maps(seed)
    whole, first, second = table_of(maps), SemanticIoU(), SemanticIoU()
    for table, part in ((first, order[:cut]), (second, order[cut:])):
        for i in part:
            table.update_maps(i, *maps[i])
    merged = first.merge(second)
    assert whole.compute() == merged.compute() and whole.per_category() == merged.per_category()
    assert whole.bootstrap(20) == merged.bootstrap(20)


@pytest.mark.parametrize("dense", [False, True])
def test_masks_and_maps_give_the_same(dense: bool) -> None:
    maps = random_maps(2)
    table = SemanticIoU()
    for image_id, (gt, pred) in enumerate(maps):
        sides: list[Any] = []
        for labels in (gt, pred):
            ids, masks = from_id_map(labels, background=255)
            sides += [np.stack([labels == one for one in ids]) if dense else masks, ids]
        table.update(image_id, *sides)
    assert table.compute() == table_of(maps).compute()


@pytest.mark.parametrize(
    ("dtype", "shift"),
    [(np.uint8, 0), *((dtype, shift) for dtype in (np.uint16, np.int32, np.int64) for shift in (0, 300))],
)
def test_labels_of_any_type_are_counted_alike(dtype: Any, shift: int) -> None:
    """Those that fit into a byte are counted pixel by pixel, the others by runs."""
    for gt, pred in random_maps(4):
        expected = count_labels(gt, pred)
        # Upside down and by every other column: not contiguous.
        maps = [np.repeat(one.astype(dtype) + dtype(shift), 2, axis=1)[::-1, ::2] for one in (gt, pred)]
        found = count_labels(*maps, ignore=(255 + shift,))
        assert found.categories.tolist() == (expected.categories + shift).tolist()
        assert found.counts.tolist() == expected.counts.tolist()
        signed = count_labels(*(one.astype(np.int64) - 1 for one in (gt, pred)), ignore=(254,))
        assert signed.counts.tolist() == expected.counts.tolist()


@pytest.mark.parametrize(
    ("gt", "pred", "kind"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), r"mask\.size"),
        (np.zeros((2, 3), np.uint8), np.zeros((2, 3)), r"idmap\.type"),
        (np.zeros((2, 3, 1), int), np.zeros((2, 3), int), r"idmap\.type"),
        (np.zeros((0, 3), int), np.zeros((0, 3), int), "size"),
    ],
)
def test_maps_that_do_not_fit(gt: Any, pred: Any, kind: str) -> None:
    with pytest.raises(InputError, match=kind):
        SemanticIoU().update_maps(1, gt, pred)


def test_by_hand() -> None:
    gt, pred = np.array([[0, 0, 0, 1, 255]]), np.array([[0, 0, 2, 255, 2]])
    # Class 0: 2 of 3; class 1: 0 of 1; class 2 is predicted once on a pixel that counts.
    figures = {mode: SemanticIoU(mode) for mode in ("canonical", "d2-semseg", "mmseg")}
    for table in figures.values():
        table.update_maps(1, gt, pred)
    got = {mode: table.compute() for mode, table in figures.items()}
    assert got["canonical"] == pytest.approx({"mIoU": 1 / 3, "fwIoU": 0.5, "mACC": 1 / 3, "pACC": 0.5})
    assert got["d2-semseg"] == pytest.approx({"mIoU": 2 / 3, "fwIoU": 2 / 3, "mACC": 2 / 3, "pACC": 2 / 3})
    assert got["mmseg"] == pytest.approx({"mIoU": 2 / 9, "fwIoU": 0.5, "mACC": 1 / 3, "pACC": 0.5})


def test_nothing_is_undefined() -> None:
    assert set(SemanticIoU().compute().values()) == {None}
    table = SemanticIoU()
    table.update_maps(1, np.full((2, 2), 255), np.zeros((2, 2), int))
    assert set(table.compute().values()) == {None} == set(table.bootstrap(5).values())


def test_overlap_is_refused_by_update() -> None:
    overlapping = RunLengths((1, 9), [0, 4, 2, 6], [0, 2, 4])
    with pytest.raises(InputError, match="true masks overlap"):
        SemanticIoU().update(1, overlapping, [1, 2], overlapping[:1], [1])
    with pytest.raises(InputError, match="as many category ids"):
        SemanticIoU().update(1, overlapping[:1], [1, 2], overlapping[:1], [1])


# Files.


def write_gt(folder: Path, maps: Maps, categories: list[dict[str, Any]] | None) -> Path:
    (folder / "maps").mkdir(parents=True)
    for i, (gt, _) in enumerate(maps):
        Image.fromarray(gt).save(folder / "maps" / f"im{i}.png")
    (folder / "list.txt").write_text("".join(f"im{i}.jpg im{i}.png\n" for i in range(len(maps))))
    if categories is not None:
        (folder / "categories.json").write_text(json.dumps({"categories": categories}))
    return folder / "list.txt"


def write_pred(folder: Path, maps: Maps, kind: type = np.uint8) -> Path:
    folder.mkdir(parents=True)
    for i, (_, pred) in enumerate(maps):
        labels = pred.astype(kind)
        Image.fromarray(np.where(pred == 255, np.iinfo(kind).max, labels).astype(kind)).save(
            folder / f"im{i}.png"
        )
    return folder


# Ids are not labels here, and two classes share a name, as in EntitySeg.
CATEGORIES = [{"id": 10 * k + 7, "name": "blanket" if k < 2 else f"c{k}"} for k in range(K)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_label_pngs(tmp_path: Path, mode: Any, kind: type) -> None:
    maps = random_maps(1, n=7)
    gt, pred = write_gt(tmp_path / "gt", maps, CATEGORIES), write_pred(tmp_path / "pred", maps, kind)
    one = score_semantic(gt, pred, mode=mode, threads=1, per_image=True, bootstrap=20)
    two = score_semantic(gt, pred, mode=mode, threads=2, per_image=True, bootstrap=20)
    assert one.to_json() == two.to_json() and json.dumps(one.to_json(), allow_nan=False)
    assert dict(one.values) == pytest.approx(plain(maps, mode))
    assert [record["id"] for record in one.per_category] == [category["id"] for category in CATEGORIES]
    assert (one.counts.expected, one.counts.missing) == (7, 0)


def test_stated_labels_and_no_categories(tmp_path: Path) -> None:
    maps = random_maps(1)
    turned = [{**one, "label": K - 1 - k} for k, one in enumerate(CATEGORIES)]
    pred = write_pred(tmp_path / "pred", maps)
    figures = [
        score_semantic(write_gt(tmp_path / name, maps, listed), pred, bootstrap=0)
        for name, listed in (("turned", turned), ("bare", [*CATEGORIES]))
    ]
    assert figures[0].values == figures[1].values
    assert figures[0].per_category[0]["IoU"] == figures[1].per_category[-1]["IoU"]
    # Without categories, labels are ids; those that the truth has not are classes too, with a warning.
    few: Maps = [(gt, np.where(pred == K - 1, 255, pred).astype(np.uint8)) for gt, pred in maps]
    bare = write_gt(tmp_path / "none", few, None)
    want = plain(few, "canonical")
    assert dict(score_semantic(bare, write_pred(tmp_path / "few", few), bootstrap=0).values) == pytest.approx(
        want
    )
    result = score_semantic(bare, pred, bootstrap=0)
    assert dict(result.values) == pytest.approx(plain(maps, "canonical"))
    assert {(one.kind, one.severity) for one in result.warnings} == {("label.unseen", "warning")}


def records_of(maps: Maps, key: str = "file_name") -> list[dict[str, Any]]:
    return [
        {
            key: f"/data/ade/im{i}.jpg" if key == "file_name" else i + 1,
            "category_id": CATEGORIES[label]["id"],
            "segmentation": encode(pred == label),
        }
        for i, (_, pred) in enumerate(maps)
        for label in np.unique(pred[pred != 255]).tolist()
    ]


@pytest.mark.parametrize("key", ["file_name", "image_id"])
def test_detectron2_lists(tmp_path: Path, key: str) -> None:
    maps = random_maps(4)
    gt, pred = write_gt(tmp_path / "gt", maps, CATEGORIES), tmp_path / "pred.json"
    pred.write_text(json.dumps(records_of(maps, key)))
    result = score_semantic(gt, pred, mode="d2-semseg", bootstrap=0)
    assert dict(result.values) == pytest.approx(plain(maps, "d2-semseg"))


def refused(gt: Path, pred: Path) -> list[str]:
    with pytest.raises(InputError) as raised:
        score_semantic(gt, pred)
    for finding in raised.value.findings:
        assert finding.file and finding.remedy
    return sorted(finding.kind for finding in raised.value.findings if finding.severity == "error")


def test_wrong_lists(tmp_path: Path) -> None:
    maps = random_maps(4)
    gt, pred = write_gt(tmp_path / "gt", maps, CATEGORIES), tmp_path / "pred.json"
    for change, kinds in (
        ({"file_name": "other.jpg"}, ["image.unknown"]),
        ({"file_name": 3}, ["image.unknown"]),
        ({"category_id": 1}, ["category.unknown"]),
        ({"segmentation": {"size": [1, 1], "counts": "1"}}, ["mask.size"]),
        ({"segmentation": {"size": list(maps[0][0].shape), "counts": "~"}}, ["rle.character"]),
    ):
        records = records_of(maps)
        records[0] = {**records[0], **change}
        pred.write_text(json.dumps(records))
        assert refused(gt, pred) == kinds
    records = records_of(maps)
    pred.write_text(json.dumps([*records, records[0]]))
    assert refused(gt, pred) == ["class.duplicate"]
    assert records[0]["file_name"] == records[1]["file_name"]
    records[1]["segmentation"] = records[0]["segmentation"]
    pred.write_text(json.dumps(records))
    assert refused(gt, pred)[0] == "pred.overlap"


def test_wrong_maps(tmp_path: Path) -> None:
    maps = random_maps(4)
    gt, pred = write_gt(tmp_path / "gt", maps, CATEGORIES), write_pred(tmp_path / "pred", maps)
    Image.fromarray(np.full(maps[0][0].shape, 77, np.uint8)).save(pred / "im0.png")
    Image.fromarray(np.zeros((3, 50), np.uint8)).save(pred / "im1.png")
    (pred / "im2.png").write_bytes(b"no png")
    assert refused(gt, pred) == ["label.unknown", "png.size", "png.type"]
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(pred / "stranger.png")
    assert refused(gt, pred) == ["image.unknown"]
    (tmp_path / "empty").mkdir()
    assert refused(gt, tmp_path / "empty") == ["file.missing"]
    with pytest.raises(InputError, match="no such file"):
        score_semantic(gt, tmp_path / "nowhere")


def test_missing_maps_are_missed_pixels(tmp_path: Path) -> None:
    maps = random_maps(4)
    gt, pred = write_gt(tmp_path / "gt", maps, CATEGORIES), write_pred(tmp_path / "pred", maps)
    (pred / "im1.png").unlink()
    maps[1] = (maps[1][0], np.full_like(maps[1][0], 255))
    result = score_semantic(gt, pred, bootstrap=0)
    assert dict(result.values) == pytest.approx(plain(maps, "canonical"))
    assert (result.counts.predicted, result.counts.missing) == (3, 1)


def test_written_maps_score_as_the_read_ones(tmp_path: Path) -> None:
    maps = random_maps(6)
    gt = load(write_gt(tmp_path / "gt", maps, CATEGORIES))
    pred = read_semantic_predictions(write_pred(tmp_path / "pred", maps), gt)
    assert category_of_label(gt) == {k: one["id"] for k, one in enumerate(CATEGORIES)}
    (tmp_path / "again").mkdir()
    for index in range(len(gt)):
        ids, masks = pred.classes(index, Findings())
        write_semantic_map(tmp_path / "again" / f"im{index}.png", masks, ids, gt)
    first, again = (score_semantic(gt, one, bootstrap=0) for one in (pred, tmp_path / "again"))
    assert first.values == again.values


def test_panoptic_truth_is_scored_by_class(shared_data: Path, tmp_path: Path) -> None:
    """Segments of one category count together."""
    gt = load(shared_data / "coco_panoptic_sample" / "panoptic_examples.json")
    place = {category.id: k for k, category in enumerate(gt.categories)}
    for one in gt:
        labels = np.full(one.image.size, 255, np.uint8)
        for row, category in enumerate(one.category_ids.tolist()):
            labels[pixels_of(one.masks[row])[0]] = place[category]
        Image.fromarray(labels).save(tmp_path / f"{one.image.id}.png")
    result = score_semantic(gt, tmp_path, bootstrap=0)
    assert dict(result.values) == {"mIoU": 1.0, "fwIoU": 1.0, "mACC": 1.0, "pACC": 1.0}
    assert result.counts["categories"] == 8


def test_categories_that_are_no_integers_are_refused() -> None:
    square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    with pytest.raises(InputError, match=r"category\.shape"):
        SemanticIoU().update(1, square, [1.7], square, [1.2])  # Both would be cut to 1.


@pytest.mark.parametrize("as_list", [False, True])
def test_labels_that_a_bare_list_has_nowhere_are_classes(as_list: bool, tmp_path: Path) -> None:
    """The EntitySeg release has no categories.json, and a few of its images do not have every label."""
    gt, found = np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 7, 1, 7]], np.uint8)
    (tmp_path / "maps").mkdir()
    (tmp_path / "pred").mkdir()
    Image.fromarray(gt).save(tmp_path / "maps" / "a.png")
    Image.fromarray(found).save(tmp_path / "pred" / "a.png")
    (tmp_path / "list.txt").write_text("a.jpg a.png\n")
    pred = tmp_path / "pred"
    if as_list:
        pred = tmp_path / "pred.json"
        records = [
            {"file_name": "a.jpg", "category_id": label, "segmentation": encode(found == label)}
            for label in (0, 1, 7)
        ]
        pred.write_text(json.dumps(records))
    for mode, mean_iou in (("canonical", 0.75), ("mmseg", 0.5)):
        result = score_semantic(tmp_path / "list.txt", pred, mode=mode, bootstrap=0)  # type: ignore[arg-type]
        assert result["mIoU"] == mean_iou
        assert [one.kind for one in result.warnings] == ["label.unseen"]
    if as_list:
        records[2]["category_id"] = -2
        pred.write_text(json.dumps(records))
        assert refused(tmp_path / "list.txt", pred) == ["category.unknown"]


def test_maps_with_capital_endings_hidden_files_and_equal_stems(tmp_path: Path) -> None:
    maps = random_maps(4)
    gt, pred = write_gt(tmp_path / "gt", maps, CATEGORIES), write_pred(tmp_path / "pred", maps)
    (pred / "im1.png").rename(pred / "im1.PNG")
    (pred / "._im0.png").write_bytes(b"left by a system")
    result = score_semantic(gt, pred, bootstrap=0)
    assert result.counts.missing == 0 and dict(result.values) == pytest.approx(plain(maps, "canonical"))
    (pred / "im1.png").write_bytes((pred / "im1.PNG").read_bytes())
    assert refused(gt, pred) == ["map.duplicate"]
