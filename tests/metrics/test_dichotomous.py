"""DIS5K's measures against dense references written plainly, published code's figures, and hand-computed cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from entityseg.cli.main import run
from entityseg.errors import InputError, UsageError
from entityseg.masks import from_dense
from entityseg.metrics.dichotomous import Dichotomous
from entityseg.metrics.scoring_dichotomous import score_dichotomous
from entityseg.predictions.grey_maps import read_grey_map, write_grey_maps
from tests.metrics.grey_cases import Grey, case

GOLDEN = json.loads((Path(__file__).parent / "dichotomous_golden.json").read_text())


def reference(gt: Grey, pred: Grey) -> dict[str, Any]:
    """The measures of one image pixel by pixel, from their definitions."""
    g = gt > 128
    low, high = int(pred.min()), int(pred.max())
    low, high = (0, 255) if low == high else (low, high)
    p = (pred.astype(float) - low) / (high - low)
    levels = (pred.astype(int) - low) * 255 // (high - low)

    def f_of(b: NDArray[np.bool_]) -> float:
        hits = (b & g).sum()
        if hits == 0:
            return 0.0
        precision, recall = hits / b.sum(), hits / g.sum()
        return float(1.3 * precision * recall / (0.3 * precision + recall))

    def e_of(b: NDArray[np.bool_]) -> float:
        if not g.any():
            return float((~b).sum() / (g.size - 1))
        if g.all():
            return float(b.sum() / (g.size - 1))
        x, y = b - b.mean(), g - g.mean()
        return float(((1 + 2 * x * y / (x * x + y * y)) ** 2 / 4).sum() / (g.size - 1))

    def weighted() -> float:
        if not g.any():
            return 0.0
        distance, nearest = ndimage.distance_transform_edt(~g, return_indices=True)
        error = np.abs(p - g)
        spread = error[tuple(nearest)]
        axis = np.arange(-3, 4)
        gauss = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / 50)
        smooth = ndimage.convolve(spread, gauss / gauss.sum(), mode="constant")
        least = np.where(g & (smooth < error), smooth, error)
        weighted_error = least * np.where(g, 1, 2 - np.exp(np.log(0.5) / 5 * distance))
        hits, false = g.sum() - weighted_error[g].sum(), weighted_error[~g].sum()
        recall = 1 - weighted_error[g].mean()
        precision = hits / (hits + false) if hits + false else 0
        return float(2 * recall * precision / (recall + precision)) if recall + precision else 0.0

    def same(x: NDArray[np.float64], y: NDArray[np.bool_]) -> float:
        if x.size == 0:
            return 0.0
        less = max(x.size - 1, 1)
        dx, dy = x - x.mean(), y - y.mean()
        if x.min() == x.max():
            dx = np.zeros_like(dx)
        above = 4 * x.mean() * y.mean() * (dx * dy).sum() / less
        below = (x.mean() ** 2 + y.mean() ** 2) * ((dx**2).sum() + (dy**2).sum()) / less
        return float(above / below) if abs(above) > 1e-14 else float(below == 0)

    def structure() -> float:
        if not g.any() or g.all():
            return float(p.mean() if g.any() else 1 - p.mean())

        def part(x: NDArray[np.float64]) -> float:
            return float(2 * x.mean() / (x.mean() ** 2 + 1 + (x.std(ddof=1) if x.size > 1 else 0)))

        by_object = g.mean() * part(p[g]) + (1 - g.mean()) * part(1 - p[~g])
        row, column = (int(c) + 1 for c in np.argwhere(g).mean(axis=0).round())
        cuts = [(slice(None, row), slice(row, None)), (slice(None, column), slice(column, None))]
        by_region = sum(same(p[y, x], g[y, x]) * p[y, x].size / p.size for y in cuts[0] for x in cuts[1])
        return float(max(0, 0.5 * by_object + 0.5 * by_region))

    adaptive = p >= min(2 * p.mean(), 1) - 1e-12
    return {
        "f": np.array([f_of(levels >= k) for k in range(256)]),
        "e": np.array([e_of(levels >= k) for k in range(256)]),
        "adpF": f_of(adaptive),
        "adpE": e_of(adaptive),
        "wF": weighted(),
        "S": structure(),
        "MAE": float(np.abs(p - g).mean()),
    }


@pytest.mark.parametrize("seed", range(40))
def test_equals_the_dense_reference(seed: int) -> None:
    gt, pred = case(seed, most=30)
    metric = Dichotomous()
    metric.update("a", gt, pred)
    found, expected = metric.compute(), reference(gt, pred)
    curves = {"maxF": expected["f"].max(), "meanF": expected["f"].mean(), "maxE": expected["e"].max()}
    curves["meanE"] = expected["e"].mean()
    for name, value in {**curves, **{k: v for k, v in expected.items() if np.isscalar(v)}}.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_max_of_the_mean_curve_is_not_the_mean_of_maxima() -> None:
    metric = Dichotomous()
    references = []
    for seed in (0, 5, 10):
        gt, pred = case(seed)
        metric.update(seed, gt, pred)
        references.append(reference(gt, pred))
    values = metric.compute()
    curve = np.mean([one["f"] for one in references], axis=0)
    assert values["maxF"] == pytest.approx(curve.max(), abs=1e-12)
    assert values["maxF_by_image"] == pytest.approx(
        np.mean([one["f"].max() for one in references]), abs=1e-12
    )
    assert values["maxF_by_image"] > values["maxF"]


@pytest.mark.parametrize("golden", GOLDEN["cases"], ids=lambda one: f"seed{one['seed']}")
def test_pysod_mode_equals_pysodmetrics(golden: dict[str, Any]) -> None:
    """Figures of PySODMetrics 1.6.2 with OpenCV 4.14.0.94 on the same maps."""
    gt, pred = case(golden["seed"])
    assert int(gt.sum()) == golden["gt_sum"] and int(pred.sum()) == golden["pred_sum"]
    metric = Dichotomous("pysod")
    metric.update("a", gt, pred)
    found = metric.compute()
    for name, value in golden["figures"].items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


def test_official_mode_by_hand() -> None:
    # Two pixels of foreground, with 254 and 100; one of background with 255; one with 0 whose truth is grey.
    gt = np.array([[255, 255], [0, 128]], np.uint8)
    pred = np.array([[254, 100], [255, 0]], np.uint8)
    metric = Dichotomous("dis-official")
    metric.update("a", gt, pred)
    values = metric.compute()
    assert values["MAE"] == pytest.approx((1 + 155 + 255 + 128) / (4 * 255), abs=1e-6)
    # 254 and 255 share a bin: the best is P = 2/3, R = 1 at values of 100 or more.
    assert values["maxF"] == pytest.approx(1.3 * (2 / 3) / (0.3 * 2 / 3 + 1), abs=1e-4)
    assert list(values) == ["maxF", "wF", "MAE", "S", "meanE", "HCE"]


def test_official_mode_equals_plain_loops() -> None:
    """IS-Net's maximal F and mean absolute error, a threshold and a pixel at a time."""
    metric = Dichotomous("dis-official")
    precisions, recalls, errors = [], [], []
    for seed in range(12):
        gt, pred = case(seed, most=40)
        metric.update(seed, gt, pred)
        g = gt > 128
        found = [pred >= k for k in range(255)]
        precisions.append([(b & g).sum() / (b.sum() + 1e-4) for b in found])
        recalls.append([(b & g).sum() / (g.sum() + 1e-4) for b in found])
        errors.append(np.abs(pred.astype(float) - gt).sum() / (gt.size * 255 + 1e-4))
    p, r = np.mean(precisions, axis=0), np.mean(recalls, axis=0)
    values = metric.compute()
    assert values["maxF"] == pytest.approx((1.3 * p * r / (0.3 * p + r + 1e-8)).max(), abs=1e-12)
    assert values["MAE"] == pytest.approx(np.mean(errors), abs=1e-12)


def test_perfect_maps() -> None:
    metric = Dichotomous()
    n = 0
    for seed in range(12):
        gt, _ = case(seed)
        if gt.any() and not gt.all():
            metric.update(seed, gt, gt)
            n += 1
    values = metric.compute()
    assert n > 3
    for name in ("maxF", "adpF", "maxF_by_image", "wF", "S"):
        assert values[name] == pytest.approx(1, abs=1e-15)
    assert values["MAE"] == values["HCE"] == 0
    # The published measure divides by one pixel less than there are.
    assert 1 < values["maxE"] < 1.01 and values["adpE"] == pytest.approx(values["maxE"])


def test_empty_and_full_truths() -> None:
    nothing, all_of_it = np.zeros((4, 5), np.uint8), np.full((4, 5), 255, np.uint8)
    empty, full = Dichotomous(), Dichotomous()
    empty.update("a", nothing, nothing)
    full.update("a", all_of_it, all_of_it)
    found = empty.compute()
    assert found["S"] == 1 and found["maxF"] == found["wF"] == found["MAE"] == found["HCE"] == 0
    found = full.compute()
    assert found["S"] == found["maxF"] == found["wF"] == 1 and found["adpE"] == pytest.approx(20 / 19)
    assert set(Dichotomous().compute().values()) == {None}
    pixel = Dichotomous()
    pixel.update("a", np.array([[True]]), np.array([[False]]))
    assert pixel.compute()["maxE"] == 1.0 and pixel.compute()["S"] == 0.0


@settings(max_examples=15, deadline=None)
@given(cut=st.lists(st.integers(0, 2), min_size=6, max_size=6), data=st.data())
def test_shards_and_order_do_not_matter(cut: list[int], data: st.DataObject) -> None:
    whole = Dichotomous()
    for seed in range(6):
        whole.update(seed, *case(seed))
    shards = [Dichotomous() for _ in range(3)]
    for seed in data.draw(st.permutations(range(6))):
        shards[cut[seed]].add(seed, whole.units[seed])
    merged = shards[1].merge(shards[2]).merge(shards[0])
    assert merged.compute() == whole.compute()
    assert merged.bootstrap(20, seed=1) == whole.bootstrap(20, seed=1)


def test_weights_are_copies() -> None:
    table, copies = Dichotomous(), Dichotomous()
    for seed in range(4):
        table.update(seed, *case(seed))
    for name, seed in (("a", 0), ("b", 0), ("c", 3)):
        copies.add(name, table.units[seed])
    found, expected = table.compute({0: 2, 3: 1}), copies.compute()
    assert found == {name: pytest.approx(value, abs=1e-12) for name, value in expected.items()}


def test_masks_and_maps_are_the_same() -> None:
    gt, _ = case(1)
    dense, runs = Dichotomous(), Dichotomous()
    dense.update("a", gt, np.roll(gt, 3, 0))
    runs.update("a", from_dense(gt[None] > 0), np.roll(gt, 3, 0) > 0)
    assert dense.compute() == runs.compute()


@pytest.mark.parametrize(
    "values", [np.zeros((3, 3), np.float32), np.zeros((2, 3, 3), bool), np.zeros((0, 3), bool)]
)
def test_other_arrays_are_refused(values: NDArray[Any]) -> None:
    with pytest.raises(InputError, match="map.kind"):
        Dichotomous().update("a", values, values)
    with pytest.raises(InputError, match="map.size"):
        Dichotomous().update("a", np.zeros((3, 3), bool), np.zeros((3, 4), bool))


def folders(tmp_path: Path) -> tuple[Path, Path]:
    gt, pred = tmp_path / "set" / "gt", tmp_path / "maps"
    write_grey_maps(gt, [(f"im{seed}", case(seed)[0]) for seed in range(5)])
    write_grey_maps(pred, [(f"im{seed}", case(seed)[1]) for seed in range(5)])
    return gt, pred


def test_folders_give_what_arrays_give(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gt, pred = folders(tmp_path)
    table = Dichotomous()
    for seed in range(5):
        table.update(f"im{seed}", *case(seed))
    score = score_dichotomous(gt.parent, pred, bootstrap=20, per_image=True)
    assert dict(score.values) == table.compute()
    assert score.per_image == table.per_unit()
    arguments = ["score", "dichotomous", "--gt", str(gt), "--pred", str(pred), "--bootstrap", "20"]
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["maxF"] == table.compute()["maxF"]
    assert run(arguments) == 0
    assert f"{table.compute()['HCE']:.2f}" in capsys.readouterr().out


def test_missing_maps_count_as_background(tmp_path: Path) -> None:
    gt, pred = folders(tmp_path)
    (pred / "im1.png").unlink()
    score = score_dichotomous(gt, pred, bootstrap=0)
    assert (score.counts.expected, score.counts.predicted, score.counts.missing) == (5, 4, 1)
    truth = read_grey_map(gt / "im1.png")
    Image.fromarray(np.zeros_like(truth)).save(pred / "im1.png")
    black = score_dichotomous(gt, pred, bootstrap=0)
    assert dict(black.values) == dict(score.values)
    assert black.counts.missing == 0 and black.counts.empty == score.counts.empty + 1


def test_skeletons_of_a_folder_are_used(tmp_path: Path) -> None:
    gt, pred, lines = tmp_path / "gt", tmp_path / "pred", tmp_path / "skeletons"
    mask = np.zeros((40, 40), np.uint8)
    mask[20, 5:35] = 255
    write_grey_maps(gt, [("a", mask)])
    write_grey_maps(pred, [("a", np.zeros_like(mask))])
    write_grey_maps(lines, [("a", np.zeros_like(mask))])
    assert score_dichotomous(gt, pred, bootstrap=0)["HCE"] > 0
    assert score_dichotomous(gt, pred, skeletons=lines, bootstrap=0)["HCE"] == 0


def test_everything_wrong_with_the_files_is_listed(tmp_path: Path) -> None:
    gt, pred = folders(tmp_path)
    Image.fromarray(case(0)[1].T.copy()).save(pred / "im0.png")
    Image.fromarray(case(1)[1].astype(np.uint16)).save(pred / "im1.png")
    colour = np.zeros((*case(2)[1].shape, 3), np.uint8)
    colour[0, 0, 0] = 9
    Image.fromarray(colour).save(pred / "im2.png")
    data = (pred / "im3.png").read_bytes()
    (pred / "im3.png").write_bytes(data[: len(data) // 2])
    (pred / "im4.png").write_bytes(b"nothing of a PNG")
    Image.fromarray(case(0)[1]).save(pred / "other.png")
    (pred / "notes.txt").write_text("hello")
    with pytest.raises(InputError) as caught:
        score_dichotomous(gt, pred)
    places = {(finding.kind, Path(finding.file or "").name) for finding in caught.value.findings}
    assert places == {
        ("map.size", "im0.png"),
        ("map.kind", "im1.png"),
        ("map.kind", "im2.png"),
        ("png.damaged", "im3.png"),
        ("png.type", "im4.png"),
        ("image.unknown", "other.png"),
        ("map.file", "notes.txt"),
    }


def test_grey_in_three_channels_is_grey(tmp_path: Path) -> None:
    _, pred = case(0)
    Image.fromarray(np.repeat(pred[:, :, None], 3, axis=2)).save(tmp_path / "a.png")
    assert np.array_equal(read_grey_map(tmp_path / "a.png"), pred)


def test_bad_folders_and_targets(tmp_path: Path) -> None:
    gt, pred = folders(tmp_path)
    with pytest.raises(InputError, match="file.missing"):
        score_dichotomous(tmp_path / "nowhere", pred)
    with pytest.raises(InputError, match="file.folder"):
        score_dichotomous(gt / "im0.png", pred)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="map.none"):
        score_dichotomous(gt, tmp_path / "none")
    with pytest.raises(UsageError, match="target.exists"):
        write_grey_maps(gt, [])
    with pytest.raises(InputError, match="map.name"):
        write_grey_maps(tmp_path / "new", [("../a", np.zeros((2, 2), np.uint8))])
    assert not (tmp_path / "new").exists()


def test_a_skeleton_of_another_size_is_named_as_such() -> None:
    gt = np.ones((4, 6), bool)
    with pytest.raises(InputError, match=r"skeleton differ in size: \(4, 6\) and \(6, 4\)"):
        Dichotomous().update("a", gt, gt, skeleton=gt.T)
