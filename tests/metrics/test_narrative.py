"""Narrative grounding: the closed form, kinds of phrases, both input modes, the modes, files good and bad."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.cli.main import run
from entityseg.data.grounding.png import read_png
from entityseg.errors import InputError, UsageError
from entityseg.masks import from_dense
from entityseg.metrics.narrative import MODES, Narrative, riemann
from entityseg.metrics.phrases import PhraseRecall, match_phrases, normalise
from entityseg.metrics.resampled import bilinear, quarter_iou, soft_iou_256
from entityseg.metrics.scoring_narrative import score_narrative
from entityseg.predictions.narrative import write_narrative
from tests.metrics.texts import narrative, rle, write_json, write_png
from tests.strategies import wiggly

# Dog 1 (columns 0-1), dog 2 (columns 2-3), sky 11 (columns 4-9), void (column 10).
IDS = np.repeat(np.array([[1, 1, 2, 2, 11, 11, 11, 11, 11, 11, 0]]), 4, axis=0).astype(np.int64)
SEGMENTS = (
    ("The two dogs", ["1", "2"], True, True),
    ("under", [], False, False),
    ("a sky", ["11"], True, False),
    ("by a dog", [1], True, False),
    ("here", ["2"], False, False),
    ("all", ["2", "11"], True, False),
    ("nothing", [], True, False),
)


def of(*values: int) -> np.ndarray:
    return np.isin(IDS, values)


def phrase(
    index: int | None, text: str, mask: np.ndarray | None, span: list[int] | None = None
) -> dict[str, Any]:
    return {
        "phrase_idx": index,
        "text": text,
        "char_span": span,
        "segmentation": None if mask is None else rle(mask),
    }


def record(*phrases: dict[str, Any], index: int = 0, image_id: int = 7) -> list[dict[str, Any]]:
    return [{"narrative_idx": index, "image_id": image_id, "phrases": list(phrases)}]


@pytest.fixture
def gt(tmp_path: Path) -> Path:
    return write_png(tmp_path, {7: IDS}, [narrative("7", *SEGMENTS)])


@given(st.lists(st.one_of(st.floats(0, 1), st.integers(0, 10**5).map(lambda k: k / 10**5)), max_size=30))
def test_closed_form_is_the_published_sum(ious: list[float]) -> None:
    thresholds = np.arange(0, 1, 0.00001)
    assert len(thresholds) == 100_000
    for iou in ious:
        hits = np.array([iou]) >= thresholds[:-1]
        steps = np.abs(thresholds[1:] - thresholds[:-1])
        assert riemann([iou])[0] == pytest.approx(float((steps * hits).sum()), abs=1e-9)
    if ious:
        assert abs(riemann(ious).mean() - np.mean(ious)) <= 1e-5 + 1e-12


def test_perfect_masks_score_one_and_kinds_are_told(gt: Path, tmp_path: Path) -> None:
    full = [(0, of(1, 2)), (2, of(11)), (3, of(1)), (5, of(2, 11))]
    pred = write_json(tmp_path / "p.json", record(*(phrase(k, "x", m) for k, m in full)))
    score = score_narrative(gt, pred, bootstrap=10)
    names = ("AR", "AR_Th", "AR_St", "AR_Sing", "AR_Pl", "AR_mixed", "acc@.5")
    assert {name: score[name] for name in names} == dict.fromkeys(names, 1.0)
    assert score.counts.expected == 4 and score.counts["mixed"] == 1 and "phrase_F1" not in score.values


def test_figures_by_hand(gt: Path, tmp_path: Path) -> None:
    # IoU: dogs 8/16, sky missing 0, dog null 0, all (thing 8, stuff 24 pixels: stuff) 24/32.
    records = record(
        phrase(0, "x", of(1)), phrase(3, "x", None), phrase(5, "x", of(11)), phrase(1, "x", of(1))
    )
    score = score_narrative(gt, write_json(tmp_path / "p.json", records), bootstrap=0, per_image=True)
    assert score["AR"] == (0.5 + 0.75) / 4 and score["acc@.5"] == 0.25
    assert score["AR_Th"] == 0.25 and score["AR_St"] == 0.375
    assert score["AR_Sing"] == 0.0 and score["AR_Pl"] == 0.625 and score["AR_mixed"] == 0.75
    assert score.counts.to_json() == {
        "expected": 4, "predicted": 3, "missing": 1, "empty": 1, "narratives": 1, "narratives_predicted": 1,
        "phrases_given": 4, "phrases_unused": 1, "mixed": 1,
    }  # fmt: skip
    assert score.per_image is not None and list(score.per_image) == [7]


def test_compat_modes(gt: Path, tmp_path: Path) -> None:
    full = [(0, of(1, 2)), (2, of(11)), (3, of(1)), (5, of(2, 11)), (4, of(2))]
    pred = write_json(tmp_path / "p.json", record(*(phrase(k, "x", m) for k, m in full)))
    soft = [soft_iou_256(m, m) for _, m in full[:4]]
    score = score_narrative(gt, pred, mode="png2021", bootstrap=0)
    assert score["AR"] == pytest.approx(np.mean([a / b for a, b in soft]), abs=1.1e-5)
    quarter = [quarter_iou(m, m) for _, m in full[:4]]
    score = score_narrative(gt, pred, mode="ppmn-quarter", bootstrap=0)
    assert score["AR"] == pytest.approx(np.mean([a / b for a, b in quarter]), abs=1.1e-5)
    # F-LMM refuses "all": two segments, and not plural; else it takes whatever has segments, nouns or not.
    with pytest.raises(InputError, match="F-LMM"):
        score_narrative(gt, pred, mode="fmm-plural", bootstrap=0)
    plain = write_png(
        tmp_path / "b", {7: IDS}, [narrative(7, *SEGMENTS[:5], ("all", ["2", "11"], True, True))]
    )
    score = score_narrative(plain, pred, mode="fmm-plural", bootstrap=0)
    assert score.counts.expected == 5 and score["AR"] == pytest.approx(0.99999)


def test_last_segment_decides_in_png2021(tmp_path: Path) -> None:
    gt = write_png(tmp_path, {7: IDS}, [narrative(7, ("all", ["11", "1"], True, True))])
    pred = write_json(tmp_path / "p.json", record(phrase(0, "all", of(1, 11))))
    assert score_narrative(gt, pred, mode="png2021", bootstrap=0)["AR_St"] is None
    assert score_narrative(gt, pred, bootstrap=0)["AR_Th"] is None


def test_resampling_costs_what_is_published(shared_data: Path) -> None:
    from entityseg.masks import from_panoptic_png, to_dense

    soft, quarter, areas = [], [], []
    for file in sorted((shared_data / "coco_panoptic_sample" / "panoptic_examples").glob("*.png")):
        _, masks = from_panoptic_png(file)
        areas += masks.areas.tolist()
        soft += [a / b for a, b in (soft_iou_256(m, m) for m in to_dense(masks))]
        quarter += [a / b for a, b in (quarter_iou(m, m) for m in to_dense(masks))]
    small, large = np.array(areas) < 32**2, np.array(areas) >= 96**2
    assert (round(np.mean(soft), 3), round(np.mean(quarter), 3)) == (0.863, 0.871)
    assert (round(np.mean(np.array(soft)[small]), 3), round(np.mean(np.array(soft)[large]), 3)) == (
        0.777,
        0.949,
    )
    assert round(np.mean(np.array(quarter)[small]), 3) == 0.783


def published_iou(mode: str, gt: np.ndarray, pred: np.ndarray) -> float:
    """IoU as the published evaluators compute it, by torch's own interpolation; their NaN counts 0."""
    torch = pytest.importorskip("torch", reason="torch is the reference of its own interpolation")

    def scaled(mask: Any, size: tuple[int, int]) -> Any:
        return torch.nn.functional.interpolate(mask[None, None], size, mode="bilinear", align_corners=False)[
            0, 0
        ]

    g, p = (torch.from_numpy(one.astype(np.float64)) for one in (gt, pred))
    if mode == "png2021":
        g, p = scaled(g, (256, 256)), scaled(p, (256, 256)).round()
        g, p = scaled(g, gt.shape), scaled(p, gt.shape)
        above, below = (g * p).sum(), (g + p - g * p).sum()
    elif mode == "ppmn-quarter":
        scale = min(800 / min(gt.shape), 1333 / max(gt.shape))
        size = tuple(int(side * scale + 0.5) for side in gt.shape)
        padded = [torch.zeros([-(-side // 32) * 32 for side in size], dtype=torch.float64) for _ in "gp"]
        for one, mask in zip(padded, (g, p), strict=True):
            one[: size[0], : size[1]] = scaled(mask, size)
        quarter = [scaled(one, tuple(side // 4 for side in one.shape)) for one in padded]
        g, p = quarter[0] > 0, quarter[1] > 0.5
        above, below = (g & p).sum(), (g | p).sum()
    else:
        above, below = (gt & pred).sum(), (gt | pred).sum() + (1e-12 if mode == "fmm-plural" else 0)
    return float(above / below) if below > 0 else 0.0


@pytest.mark.parametrize("mode", MODES)
def test_figures_agree_with_pixels(mode: Any) -> None:
    rng = np.random.default_rng(3)
    metric = Narrative(mode)
    rows = []
    for i in range(14):
        shape = (int(rng.integers(20, 330)), int(rng.integers(20, 330)))
        gt = wiggly(rng, 1, *shape)[0]
        gt[0, 0] = True
        pred = gt ^ (wiggly(rng, 1, *shape)[0] & (rng.random() < 0.6))
        flags = {"kind": "thing" if i % 3 else "stuff", "plural": i % 4 == 0, "mixed": i in (3, 8)}
        metric.update(i // 2, 0, i, gt, pred, **flags)
        rows.append((published_iou(mode, gt, pred), flags))
    thresholds = np.arange(0, 1, 0.00001)
    groups = {
        "AR": lambda flags: True,
        "AR_Th": lambda flags: flags["kind"] == "thing",
        "AR_St": lambda flags: flags["kind"] == "stuff",
        "AR_Sing": lambda flags: not flags["plural"],
        "AR_Pl": lambda flags: flags["plural"],
    } | ({"AR_mixed": lambda flags: flags["mixed"]} if mode == "canonical" else {})
    expected = {"acc@.5": np.mean([iou > 0.5 for iou, _ in rows])}
    for name, belongs in groups.items():
        ious = np.array([iou for iou, flags in rows if belongs(flags)])
        if mode == "canonical":
            expected[name] = ious.mean()
        else:
            # The published integral over recalls, its last threshold left out.
            recall = [(ious >= t).mean() for t in thresholds[:-1]]
            expected[name] = float(np.sum(np.diff(thresholds) * recall))
    assert metric.compute() == {name: pytest.approx(value, abs=1e-9) for name, value in expected.items()}


def test_bilinear_agrees_with_pillow_where_it_enlarges() -> None:
    from PIL import Image

    image = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    large = np.asarray(Image.fromarray(image).resize((20, 13), Image.Resampling.BILINEAR))
    assert np.allclose(bilinear(image, (13, 20)), large, atol=1e-6)


def test_end_to_end(gt: Path, tmp_path: Path) -> None:
    # "dogs" and "sky" are found, "dog" is not ("by dog" is another phrase), "all" is a determiner and the last word.
    records = record(
        phrase(None, "sky", of(11)),
        phrase(None, "Dogs.", of(1, 2)),
        phrase(None, "cat", of(1)),
        phrase(None, "sky", of(2)),
    )
    score = score_narrative(
        gt, write_json(tmp_path / "p.json", records), input_mode="end-to-end", bootstrap=5
    )
    assert score["AR"] == 0.5 and score.counts.missing == 2
    assert (
        score["phrase_recall_exact"] == 0.5 and score["phrase_precision"] == 0.5 and score["phrase_F1"] == 0.5
    )
    assert score["phrase_recall_ordered"] == 0.5 and "phrase_F1" in score.intervals
    assert score.options == {"input_mode": "end-to-end"}


def test_spans_choose_between_equal_phrases(tmp_path: Path) -> None:
    gt = write_png(
        tmp_path,
        {7: IDS},
        [
            narrative(
                7,
                ("a dog", ["1"], True, False),
                ("and a dog", [], False, False),
                ("a dog", ["2"], True, False),
            )
        ],
    )
    truth = read_png(gt)
    assert [one.span for one in truth.narratives[0].phrases] == [(0, 5), (16, 21)]
    late = record(phrase(None, "dog", of(2), [18, 21]))
    score = score_narrative(truth, read(late, truth, tmp_path), bootstrap=0)
    assert score["AR"] == 0.5
    unplaced = record(phrase(None, "dog", of(2)))
    assert score_narrative(truth, read(unplaced, truth, tmp_path), bootstrap=0)["AR"] == 0.0


def read(records: Any, truth: Any, folder: Path) -> Any:
    from entityseg.predictions.narrative import read_narrative

    return read_narrative(write_json(folder / "p.json", records), truth, "end-to-end")


@given(
    st.lists(st.sampled_from(["dog", "a dog", "sky", "red car"]), max_size=6),
    st.lists(st.sampled_from(["dog", "sky", "the sky", "car"]), max_size=6),
)
def test_matching_is_one_to_one_and_as_large_as_the_multisets_allow(
    true: list[str], found: list[str]
) -> None:
    pairs = [(i, k) for i, k in enumerate(match_phrases(true, found)) if k is not None]
    assert len({k for _, k in pairs}) == len(pairs)
    assert all(normalise(true[i]) == normalise(found[k]) for i, k in pairs)
    a, b = [normalise(t) for t in true], [normalise(t) for t in found]
    assert len(pairs) == sum(min(a.count(t), b.count(t)) for t in set(a))
    metric = PhraseRecall()
    metric.update(1, 0, true, found)
    counts = metric.units[(1, 0)]
    assert counts.exact == len(pairs) >= counts.ordered
    # The longest list of words that can be struck out of both.
    subsequences = [{tuple(c) for n in range(len(x) + 1) for c in combinations(x, n)} for x in (a, b)]
    assert counts.ordered == max(map(len, subsequences[0] & subsequences[1]))
    heads = [[text.split(" ")[-1] for text in side] for side in (a, b)]
    assert counts.heads == sum(min(heads[0].count(t), heads[1].count(t)) for t in set(heads[0]))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("A  Man\u2019s hat!", "mans hat"),
        ("3 dogs", "dogs"),
        ("those three small boats", "small boats"),
        ("\uff24og", "dog"),
        ("the", "the"),
        ("", ""),
    ],
)
def test_normal_forms(text: str, normal: str) -> None:
    assert normalise(text) == normal


@given(st.permutations(range(8)), st.integers(0, 8))
def test_neither_order_nor_shards_matter(order: list[int], cut: int) -> None:
    rng = np.random.default_rng(0)
    stack = rng.random((16, 5, 6)) < 0.5
    tables = Narrative(), Narrative(), Narrative()
    for place, i in [*enumerate(order), *((-1, i) for i in range(8))]:
        table = tables[2] if place < 0 else tables[place < cut]
        kind = "thing" if i % 3 else "stuff"
        table.update(i // 3, i, 0, stack[i], stack[8 + i], kind=kind, plural=i % 2 == 0)  # type: ignore[arg-type]
    merged = tables[0].merge(tables[1])
    assert merged.compute() == tables[2].compute() and merged.bootstrap(10) == tables[2].bootstrap(10)


def test_average_recall_is_a_weighted_mean_of_its_parts() -> None:
    rng = np.random.default_rng(5)
    metric = Narrative()
    for i in range(30):
        gt, pred = rng.random((2, 6, 6)) < 0.5
        metric.update(i, 0, 0, gt, pred, kind="thing" if i < 12 else "stuff", plural=i % 5 == 0)
    values = metric.compute()
    assert values["AR"] == pytest.approx(0.4 * values["AR_Th"] + 0.6 * values["AR_St"])
    assert values["AR"] == pytest.approx(0.2 * values["AR_Pl"] + 0.8 * values["AR_Sing"])


def test_empty_and_unknown_mode() -> None:
    for mode in MODES:
        assert set(Narrative(mode).compute().values()) == {None}
    with pytest.raises(UsageError):
        Narrative("png")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("records", "kind"),
    [
        (record(index=1), "narrative.unknown"),
        (record(image_id=8), "image.other"),
        (record() + record(), "narrative.duplicate"),
        (record(phrase(7, "x", None)), "phrase.unknown"),
        (record(phrase(None, "x", None)), "phrase.unknown"),
        (record(phrase(0, "x", None), phrase(0, "x", None)), "phrase.duplicate"),
        (record(phrase(0, "x", None, [3, 2])), "span.value"),
        (record(phrase(0, "x", np.ones((11, 4), bool))), "mask.size"),
        (record({"phrase_idx": 0, "text": "x", "segmentation": None}), "key.missing"),
        (record(phrase(0, 3, None)), "text.type"),  # type: ignore[arg-type]
        ([{"narrative_idx": 0, "image_id": 7, "phrases": {}}], "json.shape"),
        ([[]], "record.type"),
    ],
)
def test_bad_predictions_are_named(gt: Path, tmp_path: Path, records: Any, kind: str) -> None:
    with pytest.raises(InputError) as raised:
        score_narrative(gt, write_json(tmp_path / "p.json", records), bootstrap=0)
    (finding,) = raised.value.findings
    assert finding.kind == kind and (finding.record or "").startswith("predictions[") and finding.remedy


def test_given_phrases_are_no_end_to_end(gt: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="phrase.given"):
        score_narrative(
            gt, write_json(tmp_path / "p.json", record(phrase(0, "x", None))), input_mode="end-to-end"
        )


@pytest.mark.parametrize(
    ("story", "kind"),
    [
        (narrative(8, *SEGMENTS), "image.unknown"),
        (narrative(7, ("x", ["3"], True, False)), "segment.unknown"),
        (narrative(7, ("x", ["dog"], True, False)), "segment.unknown"),
        ({"image_id": 7, "caption": 3, "segments": []}, "text.type"),
        ({"image_id": 7, "caption": "", "segments": [3]}, "record.type"),
        (3, "record.type"),
    ],
)
def test_bad_narratives_are_named(tmp_path: Path, story: Any, kind: str) -> None:
    with pytest.raises(InputError) as raised:
        read_png(write_png(tmp_path, {7: IDS}, [story]))
    assert [one.kind for one in raised.value.findings] == [kind]


def test_a_damaged_panoptic_png_is_named(gt: Path, tmp_path: Path) -> None:
    (png,) = tmp_path.glob("panoptic_segmentation/val2017/*.png")
    png.write_bytes(png.read_bytes()[:60])
    with pytest.raises(InputError, match=png.name):
        score_narrative(gt, write_json(tmp_path / "p.json", []), bootstrap=0)


def test_command_line(gt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks = from_dense(np.array([of(1, 2)]))
    write_narrative(tmp_path / "p.json", [(0, 7, [{"text": "dogs", "mask": masks, "phrase_idx": 0}])])
    command = ["score", "narrative", "--gt", str(gt), "--pred", str(tmp_path / "p.json"), "--bootstrap", "5"]
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["AR"] == 0.25
    write_narrative(tmp_path / "p.json", [(0, 7, [{"text": "dogs", "mask": masks, "char_span": (4, 12)}])])
    assert run([*command, "--input", "end-to-end"]) == 0
    assert "phrase_recall_exact" in capsys.readouterr().out
    (tmp_path / "panoptic_val2017.json").unlink()
    assert run(command) == 1 and "--panoptic" in capsys.readouterr().err
    command[3] = str(tmp_path)
    assert run(command) == 1 and "this is a folder" in capsys.readouterr().err
