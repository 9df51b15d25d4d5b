"""Video metrics: hand-computed tubes, dense references, perfect predictions, shards, and malformed files."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from entityseg.cli.main import run
from entityseg.data.video.tubes import Tubes, mean_areas, stack_frames
from entityseg.data.video.vipseg import PanopticVideo, read_vipseg
from entityseg.errors import Findings, InputError, UsageError
from entityseg.masks import from_dense, iou_matrix, to_coco, to_counts, to_panoptic_png
from entityseg.metrics.scoring_video import score_video
from entityseg.metrics.video_ap import VideoAP
from entityseg.metrics.video_panoptic import VideoPanopticQuality
from entityseg.metrics.video_stq import TrackingQuality
from entityseg.predictions.panoptic_videos import write_panoptic_videos
from entityseg.predictions.tubes import write_tube_predictions

Dense = NDArray[np.bool_]
CATEGORIES = {1: True, 2: True, 3: False, 4: False}


def tubes_of(dense: Dense) -> Tubes:
    """Tubes of bool [n, frames, height, width]."""
    n, frames, height, width = dense.shape
    masks = from_dense(dense.reshape(n * frames, height, width))
    return Tubes(stack_frames(masks, frames), mean_areas(masks, frames))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_tube_iou_is_that_of_all_frames(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 5)), int(rng.integers(1, 7)), int(rng.integers(1, 7)))
    gt, pred = rng.random((3, *shape)) < share, rng.random((2, *shape)) < share
    found = iou_matrix(tubes_of(pred).masks, tubes_of(gt).masks)
    for i, p in enumerate(pred):
        for j, g in enumerate(gt):
            common = sum((a & b).sum() for a, b in zip(p, g, strict=True))
            union = sum((a | b).sum() for a, b in zip(p, g, strict=True))
            assert found[i, j] == (common / union if union else 0)
    seen = [[frame.sum() for frame in tube if frame.any()] for tube in gt]
    assert tubes_of(gt).areas.tolist() == [np.mean(one) if one else 0 for one in seen]


def hand_tubes() -> tuple[Dense, Dense]:
    gt = np.zeros((1, 3, 2, 5), bool)
    pred = np.zeros((1, 3, 2, 5), bool)
    gt[0, 0, 0, :4] = gt[0, 1, 0, :4] = True  # Frame 2 is null.
    pred[0, 0, 0, :4] = pred[0, 1, 0, :2] = pred[0, 2, 0, 0] = True
    return gt, pred


def test_hand_computed_tube_ap() -> None:
    gt, pred = (tubes_of(one) for one in hand_tubes())
    metric = VideoAP()
    metric.update(1, gt, pred, [0.9], gt_categories=[5], pred_categories=[5])
    values = metric.compute()
    # 6 of 9 pixels: IoU .667 reaches 4 of the 10 thresholds.
    assert values["AP"] == pytest.approx(0.4) and values["AP50"] == 1 and values["AP75"] == 0
    assert values["APs"] == pytest.approx(0.4) and values["APm"] is None
    other = VideoAP()
    other.update(1, gt, pred, [0.9], gt_categories=[5], pred_categories=[6])
    assert other.compute()["AP"] == 0


def test_area_ranges_are_of_mean_areas() -> None:
    dense = np.zeros((1, 4, 150, 300), bool)
    dense[0, 0, :128, :128] = dense[0, 1, :128, :129] = True  # Two of four frames: mean 128 x 128.5.
    metric = VideoAP()
    one = tubes_of(dense)
    metric.update(1, one, one, [0.5], gt_categories=[1], pred_categories=[1])
    values = metric.compute()
    assert values["APm"] == 1 and values["APs"] is None and values["APl"] is None


def panoptic(maps: NDArray[np.int64], kinds: dict[int, int], crowd: tuple[int, ...] = ()) -> PanopticVideo:
    """A video of id maps [frames, height, width] and the category of each id."""
    ids = np.array(list(kinds), np.int64)
    masks = [
        from_dense(np.array([frame == i for i in ids]).reshape(len(ids), *frame.shape)) for frame in maps
    ]
    return PanopticVideo(ids, np.array(list(kinds.values()), np.int64), np.isin(ids, crowd), masks)


KINDS = {11: 1, 12: 1, 21: 2, 3: 3, 4: 4}


def random_maps(seed: int, frames: int = 5) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    ids = np.array([0, *KINDS])
    coarse = rng.integers(0, len(ids), (frames, 3, 3))
    for t in range(1, frames):
        coarse[t] = np.where(rng.random((3, 3)) < 0.8, coarse[t - 1], coarse[t])
    gt = ids[np.kron(coarse, np.ones((1, 4, 4), int))]
    pred = np.where(rng.random(gt.shape) < 0.3, rng.choice(ids, gt.shape), np.roll(gt, 1, 2))
    return gt, pred


def vpq_reference(
    gt: NDArray[np.int64], pred: NDArray[np.int64], k: int, crowd: tuple[int, ...]
) -> dict[int, Any]:
    """True positives, false positives, false negatives and IoU by category, over all windows, as published."""
    stats = {category: [0, 0, 0, 0.0] for category in CATEGORIES}
    for start in range(len(gt) - k + 1):
        g, p = gt[start : start + k], pred[start : start + k]
        truth, found = ({i: one == i for i in np.unique(one) if i} for one in (g, p))
        hit_g, hit_p = set(), set()
        for i, a in truth.items():
            for j, b in found.items():
                if i in crowd or KINDS[i] != KINDS[j] or not (a & b).any():
                    continue
                iou = (a & b).sum() / ((a | b).sum() - (b & (g == 0)).sum())
                if iou > 0.5:
                    stats[KINDS[i]][0] += 1
                    stats[KINDS[i]][3] += iou
                    hit_g.add(i)
                    hit_p.add(j)
        for i in truth:
            stats[KINDS[i]][2] += i not in hit_g and i not in crowd
        for j, b in found.items():
            ignored = (b & ((g == 0) | np.isin(g, [i for i in crowd if KINDS[i] == KINDS[j]]))).sum()
            stats[KINDS[j]][1] += j not in hit_p and ignored / b.sum() <= 0.5
    return stats


@pytest.mark.parametrize("seed", range(12))
def test_vpq_equals_the_dense_reference(seed: int) -> None:
    crowd = (12,) if seed % 3 == 0 else ()
    gt, pred = random_maps(seed)
    metric = VideoPanopticQuality(CATEGORIES, (1, 2, 4))
    metric.update("v", panoptic(gt, KINDS, crowd), panoptic(pred, KINDS))
    values = metric.compute()
    means = []
    for k in (1, 2, 4):
        stats = vpq_reference(gt, pred, k, crowd)
        quality = [iou / (tp + fp / 2 + fn / 2) for tp, fp, fn, iou in stats.values() if tp + fp + fn]
        assert values[f"VPQ^{k}"] == pytest.approx(np.mean(quality), abs=1e-12)
        means.append(np.mean(quality))
    assert values["VPQ"] == pytest.approx(np.mean(means), abs=1e-12)


def test_vpq_pools_windows_and_videos() -> None:
    videos = [random_maps(seed, frames) for seed, frames in ((3, 5), (4, 3), (5, 1))]
    metric = VideoPanopticQuality(CATEGORIES, (1, 2, 4, 9))
    for number, (gt, pred) in enumerate(videos):
        metric.update(number, panoptic(gt, KINDS, (12,)), panoptic(pred, KINDS))
    values = metric.compute()
    for suffix, kinds in (("", (1, 2, 3, 4)), ("_things", (1, 2)), ("_stuff", (3, 4))):
        means = []
        for k in (1, 2, 4):
            stats = [vpq_reference(gt, pred, k, (12,)) for gt, pred in videos]
            sums = {c: [sum(one[c][i] for one in stats) for i in range(4)] for c in kinds}
            quality = [iou / (tp + fp / 2 + fn / 2) for tp, fp, fn, iou in sums.values() if tp + fp + fn]
            means.append(np.mean(quality))
            assert values[f"VPQ^{k}{suffix}"] == pytest.approx(means[-1], abs=1e-12)
        assert values["VPQ" + suffix] == pytest.approx(np.mean(means), abs=1e-12)
        assert values["VPQ^9" + suffix] is None


def stq_reference(
    gt: NDArray[np.int64], pred: NDArray[np.int64], crowd: tuple[int, ...], *, raw: bool
) -> tuple[float, float]:
    """AQ and SQ, pixel by pixel."""
    category = np.vectorize(lambda i: KINDS.get(i, 0))
    sem_gt, sem_pred = category(gt), category(pred)
    ious = []
    for c in (*CATEGORIES, *([0] if raw else [])):
        inside = sem_gt != 0
        either = inside & ((sem_gt == c) | (sem_pred == c))
        if either.any():
            ious.append((inside & (sem_gt == c) & (sem_pred == c)).sum() / either.sum())
    no_crowd = ~np.isin(gt, crowd)
    total, tubes = 0.0, 0
    for g in KINDS:
        if not CATEGORIES[KINDS[g]] or g in crowd or not (gt == g).any():
            continue
        tubes += 1
        for p in KINDS:
            a, b = gt == g, (pred == p) & no_crowd
            if CATEGORIES[KINDS[p]] and (a & b).any():
                total += (a & b).sum() * ((a & b).sum() / (a | b).sum()) / a.sum()
    return total / tubes, float(np.mean(ious))


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_stq_equals_the_dense_reference(seed: int, raw: bool) -> None:
    gt, pred = random_maps(seed)
    crowd = (11,) if raw else ((12,) if seed % 2 else ())  # 11 is named first.
    metric = TrackingQuality(CATEGORIES, "vipseg-stq-raw" if raw else "canonical")
    metric.update("v", panoptic(gt, KINDS, () if raw else crowd), panoptic(pred, KINDS))
    aq, sq = stq_reference(gt, pred, crowd, raw=raw)
    values = metric.compute()
    assert values["AQ"] == pytest.approx(aq, abs=1e-12) and values["SQ"] == pytest.approx(sq, abs=1e-12)
    assert values["STQ"] == pytest.approx((aq * sq) ** 0.5, abs=1e-12)


@pytest.mark.parametrize("raw", [False, True])
def test_stq_pools_tubes_and_pixels_of_videos(raw: bool) -> None:
    videos = [random_maps(seed) for seed in (1, 2, 3)]
    metric = TrackingQuality(CATEGORIES, "vipseg-stq-raw" if raw else "canonical")
    for number, (gt, pred) in enumerate(videos):
        metric.update(number, panoptic(gt, KINDS), panoptic(pred, KINDS))
    # Videos one after another are one video, if no id is in two of them.
    crowd = (11,) if raw else ()
    total, tubes = 0.0, 0
    for gt, pred in videos:
        n = sum(bool((gt == i).any()) for i in KINDS if CATEGORIES[KINDS[i]] and i not in crowd)
        total += stq_reference(gt, pred, crowd, raw=raw)[0] * n
        tubes += n
    _, sq = stq_reference(*(np.concatenate(side) for side in zip(*videos, strict=True)), crowd, raw=raw)
    values = metric.compute()
    assert values["AQ"] == pytest.approx(total / tubes, abs=1e-12)
    assert values["SQ"] == pytest.approx(sq, abs=1e-12)


def test_perfect_videos_score_one_and_raw_stq_nothing() -> None:
    maps = np.zeros((4, 6, 6), np.int64)
    maps[:, :3] = 11
    maps[:, 3:] = 3
    video = panoptic(maps, {11: 1, 3: 3})
    vpq, stq, raw = (
        VideoPanopticQuality(CATEGORIES),
        TrackingQuality(CATEGORIES),
        TrackingQuality(CATEGORIES, "vipseg-stq-raw"),
    )
    for metric in (vpq, stq, raw):
        metric.update("v", video, video)
    values = vpq.compute()
    assert values["VPQ"] == values["VPQ_things"] == values["VPQ_stuff"] == values["VPQ^4"] == 1
    assert values["VPQ^6"] is None  # No window of 6 in 4 frames.
    assert stq.compute() == {"STQ": 1, "AQ": 1, "SQ": 1}
    assert raw.compute() == {"STQ": 0, "AQ": 0, "SQ": 1}


def test_one_unlabelled_pixel_is_a_class_in_raw_stq_only() -> None:
    maps = np.full((2, 4, 4), 3)
    maps[:, :2] = 21
    maps[:, 0] = 11
    guess = maps.copy()
    guess[0, 3, 3] = 0
    kinds = {3: 3, 11: 1, 21: 2}
    for mode, classes in (("canonical", 3), ("vipseg-stq-raw", 4)):
        metric = TrackingQuality(CATEGORIES, mode)
        metric.update("v", panoptic(maps, kinds), panoptic(guess, kinds))
        assert metric.compute()["SQ"] == pytest.approx((1 + 1 + 15 / 16) / classes)
        assert metric.compute()["AQ"] == 1


@settings(max_examples=10, deadline=None)
@given(cut=st.lists(st.integers(0, 1), min_size=5, max_size=5), data=st.data())
def test_shards_and_order_do_not_matter(cut: list[int], data: st.DataObject) -> None:
    def new() -> list[Any]:
        return [VideoPanopticQuality(CATEGORIES, (1, 3)), TrackingQuality(CATEGORIES), VideoAP()]

    whole, parts = new(), [new(), new()]
    for seed in range(5):
        gt, pred = random_maps(seed, frames=3)
        truth, found = panoptic(gt, KINDS), panoptic(pred, KINDS)
        whole[0].update(seed, truth, found)
        whole[1].update(seed, truth, found)
        dense = [np.array([one == i for i in KINDS]) for one in (gt, pred)]
        kinds = list(KINDS.values())
        scores = np.round(np.random.default_rng(seed).random(5), 1)
        whole[2].update(seed, *map(tubes_of, dense), scores, gt_categories=kinds, pred_categories=kinds)
    for seed in data.draw(st.permutations(range(5))):
        for metric, part in zip(whole, parts[cut[seed]], strict=True):
            part.add(seed, metric.units[seed])
    for metric, a, b in zip(whole, *parts, strict=True):
        merged = b.merge(a)
        assert merged.compute() == metric.compute()
        assert merged.bootstrap(10, seed=1) == metric.bootstrap(10, seed=1)


def tube_files(folder: Path) -> tuple[Path, Path, dict[str, Any], list[dict[str, Any]]]:
    """A ground truth with a null frame, list counts and polygons, and perfect predictions."""
    rng = np.random.default_rng(0)
    videos, annotations, predictions = [], [], []
    for video_id in (7, 8):
        names = [f"{t}.jpg" for t in range(3)]
        videos.append({"id": video_id, "width": 9, "height": 6, "length": 3, "file_names": names})
        for k in range(2):
            masks = from_dense(rng.random((3, 6, 9)) < 0.5)
            rles: list[Any] = to_coco(masks)
            shapes = list(rles)
            shapes[1] = {"size": [6, 9], "counts": to_counts(masks)[1]}
            if k == 0:
                shapes[2] = rles[2] = None
            else:
                shapes[2] = [[1, 1, 5, 1, 5, 4, 1, 4]]
                square = np.zeros((1, 6, 9), bool)
                square[0, 1:4, 1:5] = True
                rles[2] = to_coco(from_dense(square))[0]
            record = {"video_id": video_id, "category_id": k + 1}
            annotations.append({**record, "id": len(annotations) + 1, "iscrowd": 0, "segmentations": shapes})
            predictions.append({**record, "score": float(rng.random()), "segmentations": rles})
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    gt = {"videos": videos, "annotations": annotations, "categories": categories}
    (folder / "gt.json").write_text(json.dumps(gt))
    write_tube_predictions(folder / "pred.json", predictions)
    return folder / "gt.json", folder / "pred.json", gt, predictions


def test_tube_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gt, pred, _, predictions = tube_files(tmp_path)
    score = score_video(gt, pred, bootstrap=10, per_image=True)
    assert score.metric == "tube AP" and score["AP"] == score["AR@100"] == 1
    assert score.counts.expected == score.counts.predicted == 2 and set(score.per_image or {}) == {7, 8}
    for one in predictions:
        one["category_id"] = 99
    write_tube_predictions(pred, predictions[:2])
    score = score_video(gt, pred, task="uvo", bootstrap=0)
    # Not AP^e: nothing checks that tubes are disjoint.
    assert score.metric == "tube AP"
    assert score.counts.missing == 1 and score["AR@100"] == pytest.approx(0.5)
    assert run(["score", "video", "--task", "uvo", "--gt", str(gt), "--pred", str(pred), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["AR@100"] == score["AR@100"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"video_id": 99}, "video.unknown"),
        ({"video_id": None}, "video.unknown"),
        ({"category_id": 99}, "category.unknown"),
        ({"score": "high"}, "score.type"),
        ({"score": 1e400}, "score.finite"),
        ({"segmentations": [None]}, "video.length"),
        ({"segmentations": 3}, "video.length"),
        ({"segmentations": [None, None, {"size": [9, 6], "counts": "06"}]}, "mask.size"),
        ({"segmentations": [None, None, {"size": [6, 9], "counts": "zzz"}]}, "rle"),
        ({"segmentations": [None, None, 5]}, "rle.type"),
    ],
)
def test_bad_tubes_are_named(tmp_path: Path, change: dict[str, Any], kind: str) -> None:
    gt, pred, _, predictions = tube_files(tmp_path)
    predictions[1].update(change)
    pred.write_text(json.dumps(predictions))
    with pytest.raises(InputError) as caught:
        score_video(gt, pred)
    finding = next(iter(caught.value.findings))
    assert finding.kind.startswith(kind) and (finding.record or "").startswith("predictions[1]")
    assert finding.file == str(pred)


@pytest.mark.parametrize(
    ("where", "value", "kind"),
    [
        (("videos",), [], "json.shape"),
        (("videos", 0, "id"), 8, "video.id"),
        (("videos", 0, "height"), 0, "video.size"),
        (("videos", 0, "length"), 4, "video.length"),
        (("videos", 0, "file_names"), None, "video.frames"),
        (("annotations",), None, "json.shape"),
        (("annotations", 1, "id"), 1, "annotation.duplicate"),
        (("annotations", 1, "iscrowd"), 2, "iscrowd.value"),
        (("categories", 1, "id"), 1, "id.duplicate"),
    ],
)
def test_bad_ground_truth_is_named(tmp_path: Path, where: tuple[Any, ...], value: Any, kind: str) -> None:
    gt, pred, top, _ = tube_files(tmp_path)
    changed: Any = copy.deepcopy(top)
    at = changed
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    gt.write_text(json.dumps(changed))
    with pytest.raises(InputError, match=kind):
        score_video(gt, pred)


def panoptic_files(folder: Path) -> tuple[Path, Path]:
    """VIPSeg's layout, with a prediction that is the ground truth."""
    videos, annotations = [], []
    for number, name in enumerate(("a", "b")):
        gt, _ = random_maps(number, frames=3)
        images, frames = [], []
        for t, frame in enumerate(gt):
            ids = [int(i) for i in np.unique(frame) if i]
            for root in ("panomasksRGB", "out/pan_pred"):
                path = folder / root / name / f"{t}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                to_panoptic_png(path, from_dense(np.array([frame == i for i in ids])), np.array(ids))
            images.append({"id": str(t), "width": 12, "height": 12, "file_name": f"{t}.jpg"})
            segments = [{"id": i, "category_id": KINDS[i], "iscrowd": 0} for i in ids]
            frames.append({"image_id": str(t), "file_name": f"{t}.png", "segments_info": segments})
        videos.append({"video_id": name, "images": images})
        annotations.append({"video_id": name, "annotations": frames})
    categories = [{"id": c, "name": str(c), "isthing": int(thing)} for c, thing in CATEGORIES.items()]
    top = {"videos": videos, "annotations": annotations, "categories": categories}
    (folder / "gt.json").write_text(json.dumps(top))
    (folder / "out/pred.json").write_text(json.dumps({"annotations": annotations}))
    return folder / "gt.json", folder / "out"


def test_panoptic_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gt, pred = panoptic_files(tmp_path)
    score = score_video(gt, pred, windows=(1, 3), bootstrap=10)
    assert score.metric == "VPQ" and score["VPQ"] == score["VPQ^3"] == 1
    assert score_video(gt, pred, task="stq", bootstrap=0)["STQ"] == 1
    assert score_video(gt, pred, task="stq", mode="vipseg-stq-raw", bootstrap=0).mode == "vipseg-stq-raw"
    listed = json.loads((pred / "pred.json").read_text())
    listed["annotations"].pop()
    (pred / "pred.json").write_text(json.dumps(listed))
    score = score_video(gt, pred, task="stq", bootstrap=0)
    assert score.counts.missing == 1 and score["STQ"] < 1
    assert run(["score", "video", "--gt", str(gt), "--pred", str(pred), "--windows", "1,2"]) == 0
    assert "VPQ^2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda frame: frame["segments_info"].pop(), "panoptic.ids"),
        (lambda frame: frame["segments_info"].append({"id": 99, "category_id": 1}), "panoptic.ids"),
        (lambda frame: frame["segments_info"][0].update(category_id=77), "category.unknown"),
        (lambda frame: frame["segments_info"][0].update(category_id=4, id=3), "segment.category"),
        (lambda frame: frame["segments_info"][0].update(id=0), "segment.id"),
        (lambda frame: frame.update(image_id="9"), "frame.unknown"),
        (lambda frame: frame.update(file_name="../a.png"), "file.name"),
        (lambda frame: frame.update(file_name="gone.png"), "png.missing"),
    ],
)
def test_bad_panoptic_predictions_are_named(tmp_path: Path, change: Any, kind: str) -> None:
    gt, pred = panoptic_files(tmp_path)
    top = json.loads((pred / "pred.json").read_text())
    frames = top["annotations"][0]["annotations"]
    if kind == "segment.category":  # Segment 3 has category 3 in the first frame.
        frames[0]["segments_info"] = [{"id": 3, "category_id": 3}]
    change(frames[1])
    (pred / "pred.json").write_text(json.dumps(top))
    with pytest.raises(InputError, match=kind):
        score_video(gt, pred)


def test_bad_calls(tmp_path: Path) -> None:
    gt, pred = panoptic_files(tmp_path)
    with pytest.raises(UsageError, match="video.mode"):
        score_video(gt, pred, mode="vipseg-stq-raw")
    with pytest.raises(UsageError, match="video.windows"):
        score_video(gt, pred, windows=(0, 1))
    with pytest.raises(UsageError, match="video.windows"):
        score_video(gt, pred, task="stq", windows=(1, 2))
    with pytest.raises(InputError, match="png.folder"):
        score_video(gt, pred, gt_root=tmp_path / "nowhere")


def test_options_of_panoptic_videos_are_refused_for_tubes(tmp_path: Path) -> None:
    gt, pred = tmp_path / "gt.json", tmp_path / "pred.json"
    video = {"id": 1, "height": 2, "width": 5, "file_names": ["a.jpg"]}
    top = {"videos": [video], "annotations": [], "categories": [{"id": 1, "name": "entity"}]}
    gt.write_text(json.dumps(top))
    pred.write_text("[]")
    assert score_video(gt, pred, bootstrap=0).metric == "tube AP"
    with pytest.raises(UsageError, match="video.windows"):
        score_video(gt, pred, windows=(1, 2))
    for side in ("gt_root", "pred_root"):
        with pytest.raises(UsageError, match="video.root"):
            score_video(gt, pred, task="ytvis", **{side: tmp_path})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no such file"):
        score_video(tmp_path / "nowhere.json", pred, windows=(1, 2))


def test_written_panoptic_videos_read_the_same(tmp_path: Path) -> None:
    gt, _ = panoptic_files(tmp_path)
    truth = read_vipseg(gt)
    found = [truth.decode(index, Findings()) for index in range(2)]
    write_panoptic_videos(tmp_path / "new", zip(truth.videos, found, strict=True))
    score = score_video(gt, tmp_path / "new", bootstrap=0)
    assert score["VPQ"] == 1 and score.counts.missing == 0
    with pytest.raises(UsageError, match="target.exists"):
        write_panoptic_videos(tmp_path / "new", [])
    cut = PanopticVideo(found[0].ids, found[0].categories, found[0].crowd, found[0].masks[:1])
    with pytest.raises(InputError, match="video.length"):
        write_panoptic_videos(tmp_path / "other", [(truth.videos[0], cut)])
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("scores", "gt_categories", "pred_categories", "crowd", "kind"),
    [
        ([np.nan], [1], [1], None, "score.finite"),
        ([0.5, 0.4], [1], [1], None, "score.finite"),
        ([0.5], [1, 1], [1], None, "category.shape"),
        ([0.5], [1], [1, 2], None, "category.shape"),
        ([0.5], [1.5], [1.2], None, "category.shape"),
        ([0.5], [1], [1], np.zeros(2, bool), "iscrowd.shape"),
    ],
)
def test_columns_that_do_not_fit_the_tubes(
    scores: Any, gt_categories: Any, pred_categories: Any, crowd: Any, kind: str
) -> None:
    gt, pred = (tubes_of(one) for one in hand_tubes())
    metric = VideoAP()
    with pytest.raises(InputError, match=kind):
        metric.update(
            1, gt, pred, scores, gt_categories=gt_categories, pred_categories=pred_categories, crowd=crowd
        )
    assert not metric.units
