"""Panoptic quality from PNG and from RLE: ours against the published loop over pixels and against hotcoco."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from entityseg.benchmarks.perf.generate import LONG_SIDES, make_images, paint, segmentation
from entityseg.benchmarks.perf.timing import alternated, markdown, ratio

CATEGORIES = [{"id": k, "name": f"class {k}", "isthing": int(k <= 4)} for k in range(1, 7)]
PLAIN, OURS, HOTCOCO = "plain loop (PNG)", "ours (PNG)", "hotcoco (PNG)"
OURS_RLE, HOTCOCO_RLE = "ours (RLE)", "hotcoco (RLE)"
TOOLS = (PLAIN, HOTCOCO, OURS, HOTCOCO_RLE, OURS_RLE)
# Share of predicted segments that get the class of the entity they cover most.
_RIGHT = 0.9

Stats = dict[int, list[float]]


def make_files(
    folder: Path, images: int, seed: int = 0, long_sides: tuple[int, int] = LONG_SIDES
) -> tuple[int, int]:
    """Writes `gt.json`, `pred.json` with their PNGs, and `gt_rle.json`, `pred_rle.json` with the same masks.

    PNGs are compressed as Pillow does by default, which is how COCO's were written.

    Returns:
        The pixels of all images, and the segments of both sides.
    """
    from entityseg.masks import from_coco, intersections, to_id_map

    rng = np.random.default_rng([seed, 4])
    tops: dict[str, dict[str, list[Any]]] = {name: {"annotations": []} for name in ("gt", "pred")}
    records: dict[str, list[Any]] = {"gt": [], "pred": []}
    listed: list[Any] = []
    pixels = 0
    for k, image in enumerate(make_images(images, seed, long_sides, predictions=60), 1):
        listed.append({"id": k, "file_name": f"{k}.jpg", "height": image.height, "width": image.width})
        rles = {
            "gt": [segmentation(mask) for mask in image.entities],
            "pred": [segmentation(one.mask) for one in paint(image.predictions)],
        }
        gt, pred = from_coco(rles["gt"]), from_coco(rles["pred"])
        true = rng.integers(1, len(CATEGORIES) + 1, len(gt))
        guessed = true[intersections(pred, gt).argmax(axis=1)]
        wrong = rng.random(len(pred)) > _RIGHT
        guessed[wrong] = rng.integers(1, len(CATEGORIES) + 1, wrong.sum())
        pixels += image.height * image.width
        for name, masks, classes in (("gt", gt, true), ("pred", pred, guessed)):
            # Colours as COCO has them: any 24-bit number.
            ids = np.sort(rng.choice(2**24 - 1, size=len(masks), replace=False) + 1)
            (folder / name).mkdir(exist_ok=True)
            plane = to_id_map(masks, ids)
            rgb = np.stack([plane % 256, plane // 256 % 256, plane // 65536], axis=2).astype(np.uint8)
            Image.fromarray(rgb).save(folder / name / f"{k}.png")
            columns = list(zip(ids.tolist(), classes.tolist(), masks.areas.tolist(), rles[name], strict=True))
            segments = [{"id": i, "category_id": c, "area": a, "iscrowd": 0} for i, c, a, _ in columns]
            record = {"image_id": k, "file_name": f"{k}.png", "segments_info": segments}
            tops[name]["annotations"].append(record)
            for _, c, a, rle in columns:
                one = {"image_id": k, "category_id": c, "segmentation": rle}
                number = len(records[name]) + 1
                more = (
                    {"id": number, "area": a, "iscrowd": 0, "bbox": [0, 0, 1, 1]}
                    if name == "gt"
                    else {"score": 1.0}
                )
                records[name].append({**one, **more})
    tops["gt"] |= {"images": listed, "categories": CATEGORIES}
    for name, top in tops.items():
        (folder / f"{name}.json").write_text(json.dumps(top))
    whole = {"images": listed, "annotations": records["gt"], "categories": CATEGORIES}
    (folder / "gt_rle.json").write_text(json.dumps(whole))
    (folder / "pred_rle.json").write_text(json.dumps(records["pred"]))
    return pixels, len(records["gt"]) + len(records["pred"])


def plain_loop(folder: Path, workers: int) -> float:
    """PQ the published way: both PNGs as arrays of ids, `np.unique` of their pairs, a loop over the pairs."""
    true = json.loads((folder / "gt.json").read_text())["annotations"]
    predicted = {
        one["image_id"]: one for one in json.loads((folder / "pred.json").read_text())["annotations"]
    }
    pairs = [(one, predicted[one["image_id"]]) for one in true]
    if workers == 1:
        parts = [_plain_part(folder, pairs)]
    else:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            parts = pool.map(partial(_plain_part, folder), [pairs[i::workers] for i in range(workers)])
    total: Stats = defaultdict(lambda: [0.0, 0, 0, 0])
    for part in parts:
        for category, values in part.items():
            total[category] = [a + b for a, b in zip(total[category], values, strict=True)]
    return float(np.mean([iou / (tp + 0.5 * (fp + fn)) for iou, tp, fp, fn in total.values()]))


def _plain_part(folder: Path, pairs: Sequence[tuple[Any, Any]]) -> Stats:
    stats: Stats = defaultdict(lambda: [0.0, 0, 0, 0])
    for true, predicted in pairs:
        gt, pred = _ids(folder / "gt" / true["file_name"]), _ids(folder / "pred" / predicted["file_name"])
        gt_class = {one["id"]: one["category_id"] for one in true["segments_info"]}
        gt_area = {one["id"]: one["area"] for one in true["segments_info"]}
        pred_class = {one["id"]: one["category_id"] for one in predicted["segments_info"]}
        pred_area = dict(
            zip(*(column.tolist() for column in np.unique(pred, return_counts=True)), strict=True)
        )
        joint, counts = np.unique(gt.astype(np.uint64) * 2**24 + pred, return_counts=True)
        common = {
            divmod(pair, 2**24): count for pair, count in zip(joint.tolist(), counts.tolist(), strict=True)
        }
        found, used = set(), set()
        for (g, p), pixels in common.items():
            if gt_class.get(g) is None or gt_class[g] != pred_class.get(p):
                continue
            iou = pixels / (gt_area[g] + pred_area[p] - pixels - common.get((0, p), 0))
            if iou > 0.5:
                stats[gt_class[g]][0] += iou
                stats[gt_class[g]][1] += 1
                found.add(g)
                used.add(p)
        for g in gt_class.keys() - found:
            stats[gt_class[g]][3] += 1
        for p in pred_class.keys() - used:
            stats[pred_class[p]][2] += common.get((0, p), 0) / pred_area[p] <= 0.5
    return dict(stats)


def _ids(path: Path) -> NDArray[np.uint32]:
    rgb = np.array(Image.open(path), dtype=np.uint32)
    return rgb[:, :, 0] + 256 * rgb[:, :, 1] + 65536 * rgb[:, :, 2]


def ours(folder: Path, workers: int, suffix: str = "") -> float:
    """Our own way, from files to figures."""
    from entityseg.metrics.scoring_panoptic import score_panoptic

    files = (folder / f"{name}{suffix}.json" for name in ("gt", "pred"))
    return float(score_panoptic(*files, bootstrap=0, threads=workers)["PQ"] or 0.0)


def hotcoco(folder: Path, rle: bool) -> float:
    """Hotcoco's way; with `rle` from two COCO-like JSON files."""
    from hotcoco import COCO, panoptic

    with contextlib.redirect_stdout(io.StringIO()):
        if rle:
            truth = COCO(str(folder / "gt_rle.json"))
            evaluation = panoptic.PanopticEval(truth, truth.load_res(str(folder / "pred_rle.json")))
        else:
            evaluation = panoptic.PanopticEval(str(folder / "gt.json"), str(folder / "pred.json"))
        evaluation.run()
    return float(evaluation.results()["All"]["pq"])


def compare(
    tools: Sequence[str] = TOOLS, images: int = 8, repeat: int = 3, workers: int = 1, seed: int = 0
) -> dict[str, Any]:
    """Times the tools on made images, from files on disk (in the page cache) to PQ.

    Returns:
        The `seconds` of each tool (medians), `pq`, and the `images`, `megapixels` and `segments` of the files.

    Raises:
        RuntimeError: If a tool has another PQ than the plain loop.
    """
    # hotcoco's threads; they are made when it first works.
    os.environ.setdefault("RAYON_NUM_THREADS", str(workers))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels, segments = make_files(folder, images, seed)
        calls: dict[str, Callable[[], float]] = {
            PLAIN: lambda: plain_loop(folder, workers),
            HOTCOCO: lambda: hotcoco(folder, rle=False),
            OURS: lambda: ours(folder, workers),
            HOTCOCO_RLE: lambda: hotcoco(folder, rle=True),
            OURS_RLE: lambda: ours(folder, workers, "_rle"),
        }
        pq = calls[PLAIN]()
        for tool in tools:
            found = calls[tool]()
            if abs(found - pq) > 1e-9:
                raise RuntimeError(f"{tool} has PQ {found}, the plain loop {pq}")
        seconds = alternated({tool: calls[tool] for tool in tools}, repeat)
    return {
        "seconds": seconds,
        "pq": pq,
        "images": images,
        "megapixels": pixels / 1e6,
        "segments": segments,
        "workers": workers,
    }


def table(report: dict[str, Any]) -> str:
    """Returns the report as Markdown, with how many times faster ours is from the same kind of file."""
    seconds = report["seconds"]
    rows = []
    for tool, spent in seconds.items():
        own = seconds.get(OURS_RLE if tool.endswith("(RLE)") else OURS)
        rows.append([tool, f"{1000 * spent:.0f}", "-" if own is None else ratio(spent, own)])
    size = f"{report['images']} image pairs, {report['megapixels']:.0f} MP, {report['segments']} segments"
    return markdown([f"ms ({size}, {report['workers']} workers)", "wall", "ours is faster by"], rows)
