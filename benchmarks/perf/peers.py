"""One adapter for each evaluator: two files in, COCO's twelve summary figures out.

An adapter is a function of the number of threads that does all importing and gives back the function to time.
The order of the figures is pycocotools': AP, AP50, AP75, APs, APm, APl, AR@1, AR@10, AR@100, ARs, ARm, ARl;
a tool that does not report one gives NaN there.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Figures = list[float]
Run = Callable[[Path, Path], Figures]

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR@1", "AR@10", "AR@100", "ARs", "ARm", "ARl")
SIZED = ("APs", "APm", "APl", "ARs", "ARm", "ARl")


@dataclass(frozen=True)
class Tool:
    """An evaluator of the table.

    Attributes:
        load: Imports the tool and returns the function to time.
        distribution: Its name on the package index, for the version in the table.
        boxes: It demands `bbox` on every prediction and takes its area for the mask's: its figures by size
            are other ones, and are not compared.
        blocks: It treats equal scores as one block, so that its figures are near pycocotools', not equal.
    """

    load: Callable[[int], Run]
    distribution: str
    boxes: bool = False
    blocks: bool = False

    def compared(self) -> list[str]:
        """Returns the figures that must agree with pycocotools."""
        return [name for name in NAMES if not (self.boxes and name in SIZED)]


def require_installed(distributions: Iterable[str]) -> None:
    """Looks for peers before processes are started that would import them.

    Raises:
        ModuleNotFoundError: some are not installed; all are named.
    """
    missing = []
    for name in distributions:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        raise ModuleNotFoundError(f"not installed: {', '.join(missing)}")


def _pycocotools(threads: int) -> Run:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _coco_like(COCO, COCOeval)


def _faster_coco_eval(threads: int) -> Run:
    from faster_coco_eval import COCO, COCOeval_faster

    return _coco_like(COCO, COCOeval_faster, print_function=lambda *_: None)


def _hotcoco(threads: int) -> Run:
    from hotcoco import COCO, COCOeval

    return _coco_like(COCO, COCOeval)


def _ultrafast(threads: int) -> Run:
    from ultrafast_pycocotools import COCO, COCOeval

    return _coco_like(COCO, COCOeval)


def _coco_like(coco: Any, evaluator: Any, **options: Any) -> Run:
    """The five calls that pycocotools and its drop-in replacements share."""

    def run(truth: Path, predictions: Path) -> Figures:
        with contextlib.redirect_stdout(io.StringIO()):
            loaded = coco(str(truth))
            evaluation = evaluator(loaded, loaded.loadRes(str(predictions)), "segm", **options)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return [float(value) for value in evaluation.stats[:12]]

    return run


def _vernier(threads: int) -> Run:
    from vernier.instance import CocoDataset, Evaluator, Segm

    def run(truth: Path, predictions: Path) -> Figures:
        dataset = CocoDataset.from_json(truth.read_bytes())
        evaluator = Evaluator(iou=Segm(), parity_mode="strict")
        summary = evaluator.evaluate(dataset, predictions.read_bytes(), num_threads=threads)
        return [float(value) for value in summary.stats[:12]]

    return run


def _ours(threads: int) -> Run:
    return ours(threads, bootstrap=0)


def _ours_compat(threads: int) -> Run:
    return ours(threads, bootstrap=0, mode="pycocotools")


def ours(threads: int, bootstrap: int, **options: Any) -> Run:
    """Returns our own evaluator, with the given number of bootstrap samples."""
    import entityseg

    score = entityseg.score

    def run(truth: Path, predictions: Path) -> Figures:
        result = score(truth, predictions, bootstrap=bootstrap, threads=threads, overlap="allow", **options)
        values = [result.values.get(name) for name in NAMES]
        return [math.nan if value is None else float(value) for value in values]

    return run


TOOLS = {
    "ours": Tool(_ours, "entityseg", blocks=True),
    "ours-compat": Tool(_ours_compat, "entityseg"),
    "pycocotools": Tool(_pycocotools, "pycocotools"),
    "faster-coco-eval": Tool(_faster_coco_eval, "faster-coco-eval"),
    "hotcoco": Tool(_hotcoco, "hotcoco"),
    "ultrafast-pycocotools": Tool(_ultrafast, "ultrafast-pycocotools"),
    "vernier": Tool(_vernier, "vernier", boxes=True),
}


def with_boxes(predictions: Path) -> Path:
    """Returns a copy of a results file with `bbox` on every record, made beside it if missing or older.

    The other tools do not get this file: pycocotools would take the box's area for the mask's.
    """
    from pycocotools import mask as coco_mask

    from entityseg.files import write_bytes

    boxed = predictions.with_name(f"{predictions.stem}_bbox.json")
    if not boxed.exists() or boxed.stat().st_mtime_ns < predictions.stat().st_mtime_ns:
        records = json.loads(predictions.read_bytes())
        boxes = coco_mask.toBbox([record["segmentation"] for record in records]) if records else []
        for record, box in zip(records, boxes, strict=True):
            record["bbox"] = [float(value) for value in box]
        write_bytes(boxed, json.dumps(records).encode("ascii"))
    return boxed
