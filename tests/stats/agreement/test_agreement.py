"""Agreement against cases by hand, dense references of other libraries, and properties."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from skimage.metrics import variation_of_information

from entityseg.cli.main import run
from entityseg.data.records import AnnotatedImage, ImageRecord
from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, from_dense
from entityseg.masks.coco import to_strings
from entityseg.metrics.boundary import boundary_iou
from entityseg.stats.agreement import AnnotatorAgreement, agreement, agreements, compare_image, information
from tests.strategies import partition, pixels_of, wiggly

Map = NDArray[np.int64]


def annotated(
    masks: NDArray[Any], classes: list[int] | None = None, ids: list[int] | None = None
) -> AnnotatedImage:
    n = len(masks)
    runs = from_dense(masks.astype(bool)) if n else RunLengths.empty(masks.shape[1:])
    return AnnotatedImage(
        image=ImageRecord(1, "a.jpg", *masks.shape[1:]),
        masks=runs,
        ids=np.array(ids if ids is not None else range(1, n + 1), np.int64),
        category_ids=np.array(classes if classes is not None else [1] * n, np.int64),
        iscrowd=np.zeros(n, bool),
    )


def of_map(ids: Map, classes: dict[int, int] | None = None) -> AnnotatedImage:
    numbers = [int(number) for number in np.unique(ids) if number]
    masks = np.array([ids == number for number in numbers]).reshape(-1, *ids.shape)
    return annotated(masks, [classes[number] for number in numbers] if classes else None, numbers)


def boxes(*spans: tuple[int, int], width: int = 20) -> NDArray[np.bool_]:
    masks = np.zeros((len(spans), 4, width), bool)
    for mask, (start, stop) in zip(masks, spans, strict=True):
        mask[:, start:stop] = True
    return masks


def test_by_hand() -> None:
    # IoU 8/12 = .667, 6/6, and a mask of A alone: 2 of 3 and 2 of 2 at .50-.65, 1 and 1 from .70 on.
    a = annotated(boxes((0, 10), (10, 16), (16, 20)), [1, 2, 3])
    b = annotated(boxes((2, 10), (10, 16)), [1, 9])
    table = AnnotatorAgreement()
    table.update("x", a, b)
    values = table.compute()
    assert values["AP50"] == pytest.approx(2 / 3 * 2 / 2)
    assert values["AP75"] == 2 / 3 * 1  # 8/10 = .8
    expected = [2 / 3] * 7 + [1 / 3 * 1 / 2] * 3  # .50 to .80 take both, .85 to .95 one.
    assert values["AP"] == pytest.approx(np.mean(expected))
    assert values["F1@50"] == pytest.approx(2 * 2 / 5)
    assert values["IoU"] == pytest.approx((0.8 + 1) / 2)
    assert values["accuracy"] == 0.5
    # By A: 1, 2; by B: 1, 9. Chance 1/4; kappa (1/2 - 1/4) / (3/4).
    assert values["kappa"] == pytest.approx(1 / 3)
    # Columns 0-1 and 16-19 are of nobody in B: 24 pixels, 8 of A1 and 16 of A3.
    entropy = lambda p: -p * math.log2(p) - (1 - p) * math.log2(1 - p)  # noqa: E731
    assert values["VI_a_given_b"] == pytest.approx(24 / 80 * entropy(1 / 3))
    assert values["VI_b_given_a"] == pytest.approx(40 / 80 * entropy(0.2))
    # A as the truth: 2 of 3 found, B's all true. B as the truth: its void swallows A3, so nothing is wrong.
    assert values["RQ"] == pytest.approx((2 / 2.5 + 1) / 2)
    assert values["SQ"] == pytest.approx((0.9 + 1.0) / 2)  # A1's part on B's void leaves the union: 8/8.


def test_classes_by_id_are_those_of_the_same_mask() -> None:
    a = annotated(boxes((0, 10), (10, 20)), [1, 2], ids=[5, 7])
    b = annotated(boxes((0, 10), (10, 20)), [2, 2], ids=[7, 5])
    assert sorted(map(tuple, compare_image(a, b).classes.tolist())) == [(1, 2), (2, 2)]
    assert sorted(map(tuple, compare_image(a, b, pairs="ids").classes.tolist())) == [(1, 2), (2, 2)]
    b = annotated(boxes((0, 10), (10, 20)), [2, 3], ids=[7, 5])
    assert sorted(map(tuple, compare_image(a, b, pairs="ids").classes.tolist())) == [(1, 3), (2, 2)]


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6))
def test_information_is_that_of_scikit_image(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = partition(rng, n, 12, 9), partition(rng, m, 12, 9)
    first[rng.random(first.shape) < 0.1] = 0
    row = compare_image(of_map(first), of_map(second), orders=1)
    assert row.disjoint is not None
    found = row.disjoint.information
    # scikit-image gives H(second|first), H(first|second).
    merged, split = variation_of_information(first, second)
    assert (found.b_given_a, found.a_given_b) == pytest.approx((merged, split), abs=1e-12)


def test_information_of_equal_and_of_independent_halves() -> None:
    half = np.array([8, 8])
    assert information(half, half, np.diag(half), 16).variation == 0
    assert information(half, half, np.full((2, 2), 4), 16).variation == 2


@given(st.integers(0, 10**6))
def test_an_annotator_agrees_with_himself_and_both_ways(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = partition(rng, 5, 20, 15), partition(rng, 4, 20, 15)
    classes = {k: int(rng.integers(1, 4)) for k in range(1, 6)}
    a, b = of_map(first, classes), of_map(second, classes)
    same, there, back = AnnotatorAgreement(), AnnotatorAgreement(), AnnotatorAgreement()
    same.update(1, a, a)
    for name, value in same.compute().items():
        if name == "kappa" and len({classes[k] for k in np.unique(first).tolist()}) == 1:
            assert value is None
        else:
            assert value == (0.0 if name.startswith("VI") else 1.0), name
    there.update(1, a, b)
    back.update(1, b, a)
    mirrored = {"VI_a_given_b": "VI_b_given_a", "VI_b_given_a": "VI_a_given_b"}
    other = back.compute()
    for name, value in there.compute().items():
        assert value == pytest.approx(other[mirrored.get(name, name)]), name


def test_matches_are_those_of_a_dense_reference() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        a, b = annotated(wiggly(rng, 5, 16, 21)), annotated(wiggly(rng, 4, 16, 21))
        row = compare_image(a, b, orders=1)
        dense_a, dense_b = (pixels_of(side.masks) for side in (a, b))
        iou = np.array([[(p & q).sum() / max((p | q).sum(), 1) for q in dense_b] for p in dense_a])
        pairs = []
        while iou.size and iou.max() >= 0.5:
            place = np.unravel_index(iou.argmax(), iou.shape)
            pairs.append(iou[place])
            iou[place[0]] = iou[:, place[1]] = -1
        assert row.iou.tolist() == sorted(pairs, reverse=True)
        assert row.matched[0] == len(pairs)


def test_boundary_iou_is_that_of_the_pairs() -> None:
    rng = np.random.default_rng(3)
    first = partition(rng, 4, 60, 50)
    second = np.roll(first, 1, axis=1)
    a, b = of_map(first), of_map(second)
    row = compare_image(a, b, orders=1)
    values = boundary_iou(a.masks, b.masks)
    assert len(row.boundary_iou) and set(row.boundary_iou.tolist()) <= set(values.ravel().tolist())


def coco(images: dict[int, AnnotatedImage]) -> dict[str, Any]:
    records = []
    for number, one in images.items():
        for text, area in zip(to_strings(one.masks), one.masks.areas.tolist(), strict=True):
            segmentation = {"size": list(one.masks.size), "counts": text.decode()}
            records.append(
                {
                    "id": len(records) + 1, "image_id": number, "category_id": 1, "iscrowd": 0,
                    "area": area, "bbox": [0, 0, 1, 1], "segmentation": segmentation,
                }
            )  # fmt: skip
    listed = [
        {"id": number, "file_name": f"{number}.jpg", "height": one.masks.size[0], "width": one.masks.size[1]}
        for number, one in images.items()
    ]
    return {"images": listed, "annotations": records, "categories": [{"id": 1, "name": "entity"}]}


def noisy(number: int) -> tuple[AnnotatedImage, AnnotatedImage]:
    rng = np.random.default_rng(number)
    first = partition(rng, 7, 40, 30)
    second = np.where(rng.random(first.shape) < 0.1, 1 + first % 7, first)
    return of_map(first), of_map(second)


def test_tied_ap_is_pycocotools_under_each_order(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = {number: noisy(number) for number in range(1, 5)}
    table = AnnotatorAgreement(orders=200)
    for number, (a, b) in pairs.items():
        table.update(number, a, b)
    spread = table.tied()["AP_of_b"]
    assert spread is not None
    rng = np.random.default_rng(0)
    found = []
    truth = COCO()
    truth.dataset = coco({number: a for number, (a, _) in pairs.items()})
    truth.createIndex()
    for _ in range(40):
        predictions = coco({number: b for number, (_, b) in pairs.items()})["annotations"]
        for one, score in zip(predictions, rng.permutation(len(predictions)), strict=True):
            one["score"] = float(score)
        evaluator = COCOeval(truth, truth.loadRes(predictions), "segm")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
        found.append(evaluator.stats[0])
    capsys.readouterr()
    assert spread.low < spread.high
    assert spread.mean == pytest.approx(np.mean(found), abs=3 * np.std(found) / np.sqrt(40) + 1e-9)
    assert spread.low <= min(found) + 0.02 and spread.high >= max(found) - 0.02


@given(st.permutations(range(6)), st.integers(0, 6))
def test_order_and_cut_do_not_matter(order: list[int], cut: int) -> None:
    pairs = {number: noisy(number) for number in range(6)}
    whole, first, second = (AnnotatorAgreement(orders=2) for _ in range(3))
    for number, (a, b) in pairs.items():
        whole.update(number, a, b)
    for place, number in enumerate(order):
        a, b = pairs[number]
        shuffled = a.select(np.random.default_rng(place).permutation(len(a)))
        (first if place < cut else second).update(number, shuffled, b)
    merged = second.merge(first)
    assert merged.compute() == whole.compute()
    assert merged.tied() == whole.tied()
    assert merged.bootstrap(20, 1) == whole.bootstrap(20, 1)


def test_weights_count_units() -> None:
    table, twice = AnnotatorAgreement(orders=1), AnnotatorAgreement(orders=1)
    for number in range(3):
        table.update(number, *noisy(number))
        twice.update(number, *noisy(number))
    twice.update("again", *noisy(1))
    expected = twice.compute()
    for name, value in table.compute({0: 1, 1: 2, 2: 1}).items():
        assert value == pytest.approx(expected[name])


def test_nothing_to_compare_is_undefined_not_zero() -> None:
    empty = annotated(np.zeros((0, 4, 20), bool))
    table = AnnotatorAgreement(orders=2)
    table.update(1, empty, empty)
    values = table.compute()
    assert values.pop("VI") == values.pop("VI_a_given_b") == values.pop("VI_b_given_a") == 0
    assert set(values.values()) == {None}
    assert table.tied() == {"AP_of_a": None, "AP_of_b": None}
    one_sided = AnnotatorAgreement(orders=2)
    one_sided.update(1, annotated(boxes((0, 10))), empty)
    assert one_sided.compute()["AP"] is None and one_sided.compute()["F1"] == 0


def test_overlapping_masks_have_neither_pq_nor_information() -> None:
    table = AnnotatorAgreement(orders=1)
    table.update(1, annotated(boxes((0, 10), (5, 20))), annotated(boxes((0, 10))))
    values = table.compute()
    assert values["PQ"] is None and values["VI"] is None and values["AP50"] == 0.5


def files(tmp_path: Path) -> list[Path]:
    sides: list[dict[int, AnnotatedImage]] = [{}, {}]
    for number in range(1, 5):
        for side, one in zip(sides, noisy(number), strict=True):
            side[number] = one
    del sides[1][4]
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, side in zip(paths, sides, strict=True):
        path.write_text(json.dumps(coco(side)))
    return paths


def test_files_threads_and_counts(tmp_path: Path) -> None:
    first, second = files(tmp_path)
    one = agreement(first, second, bootstrap=50, threads=1, per_image=True)
    assert one.to_json() == agreement(first, second, bootstrap=50, threads=3, per_image=True).to_json()
    assert one.counts.predicted == 3 and one.counts["only_in_a"] == 1
    assert [finding.kind for finding in one.warnings] == ["agreement.alone"]
    low, high = one.intervals["AP"] or (1.0, 0.0)
    assert low <= (one["AP"] or 0) <= high
    assert one.per_image is not None and list(one.per_image) == ["1.jpg", "2.jpg", "3.jpg"]
    assert list(agreements([first, second, first], ["x", "y", "z"], bootstrap=0)) == [
        ("x", "y"),
        ("x", "z"),
        ("y", "z"),
    ]


def test_one_annotator_and_wrong_names_are_refused(tmp_path: Path) -> None:
    first, second = files(tmp_path)
    with pytest.raises(UsageError, match="two annotators or more, not 1"):
        agreements([first])
    for names in (["x"], ["x", "x"], ["x", "y", "x"]):
        with pytest.raises(UsageError, match="2 annotators need as many different names"):
            agreements([first, second], names)


def test_sizes_that_differ_are_all_listed(tmp_path: Path) -> None:
    first, second = files(tmp_path)
    data = json.loads(second.read_text())
    for image in data["images"]:
        image["height"], image["width"] = image["width"], image["height"]
    for record in data["annotations"]:
        record["segmentation"]["size"] = record["segmentation"]["size"][::-1]
    second.write_text(json.dumps(data))
    with pytest.raises(InputError) as caught:
        agreement(first, second)
    found = [one for one in caught.value.findings if one.kind == "agreement.size"]
    assert len(found) == 3 and "swapped" in found[0].message


def test_no_common_image_is_a_usage_error(tmp_path: Path) -> None:
    first, second = files(tmp_path)
    data = json.loads(second.read_text())
    for image in data["images"]:
        image["file_name"] = "other-" + image["file_name"]
    second.write_text(json.dumps(data))
    with pytest.raises(UsageError):
        agreement(first, second, by="file_name")
    assert agreement(first, second, by="id", bootstrap=0).counts.predicted == 3


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = files(tmp_path)
    assert run(["stats", "agreement", str(first), str(second), "--bootstrap", "20", "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert (pair["a"], pair["b"]) == ("first", "second") and pair["tied"]["AP_of_a"]["low"] > 0
    assert run(["stats", "agreement", str(first), str(second), "--bootstrap", "20"]) == 0
    text = capsys.readouterr().out
    assert "first and second: 3 images; 1 image of one annotator only" in text and "COCO AP of second" in text
    assert run(["stats", "agreement", str(first)]) == 2
