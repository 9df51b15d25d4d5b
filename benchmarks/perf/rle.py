"""Decoding and the IoU matrix of one image's masks: ours against pycocotools and the fast RLE libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks.perf.generate import make_image, segmentation
from entityseg.benchmarks.perf.timing import alternated, markdown

HEIGHT, WIDTH, ENTITIES, PREDICTIONS = 1977, 2637, 39, 100
TOOLS = ("ours", "pycocotools", "rlemasklib", "ultrafast-pycocotools")
Rles = list[dict[str, Any]]
Calls = dict[str, Callable[[], Any]]
OPERATIONS = ("decode", "areas and boxes", "IoU from strings", "IoU parsed")


def compare(tools: tuple[str, ...] = TOOLS, repeat: int = 25, seed: int = 0) -> dict[str, dict[str, float]]:
    """Times four operations on one made image, one thread, taking turns.

    - `decode`: 100 strings to parsed masks. pycocotools and ultrafast have no parsed form: theirs: areas,
      summed up without a check; ours and rlemasklib check that the runs fill the image.
    - `areas and boxes`: the same 100 strings to both, which every evaluator needs.
    - `IoU from strings`: 100 and 39 strings in, the matrix out.
    - `IoU parsed`: the matrix alone, for those that keep parsed masks.

    Returns:
        For each operation the median wall milliseconds by tool.

    Raises:
        RuntimeError: If a tool's areas or matrix differ from pycocotools'.
    """
    rng = np.random.default_rng([seed, 2])
    image = make_image(rng, HEIGHT, WIDTH, ENTITIES, PREDICTIONS)
    truth = [segmentation(mask) for mask in image.entities]
    predictions = [segmentation(p.mask) for p in image.predictions]
    operations: dict[str, Calls] = {name: {} for name in OPERATIONS}
    for tool in tools:
        for operation, call in _LOADERS[tool](predictions, truth).items():
            operations[operation][tool] = call
    reference = _LOADERS["pycocotools"](predictions, truth)
    for operation, calls in operations.items():
        if operation == "decode":
            # Each library's own objects; the operations below tell whether they are right.
            continue
        expected = _array(reference[operation if operation in reference else "IoU from strings"]())
        for tool, call in calls.items():
            found = _array(call())
            if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=1e-12):
                raise RuntimeError(f"{tool} differs from pycocotools in {operation}")
    return {
        operation: {tool: 1000 * seconds for tool, seconds in alternated(calls, repeat, inner=4).items()}
        for operation, calls in operations.items()
    }


def table(report: dict[str, dict[str, float]]) -> str:
    """Returns the report as Markdown, in milliseconds."""
    tools = list(dict.fromkeys(tool for row in report.values() for tool in row))
    rows = [
        [operation, *(f"{row[tool]:.2f}" if tool in row else "" for tool in tools)]
        for operation, row in report.items()
    ]
    return markdown([f"ms, {WIDTH} x {HEIGHT}, {ENTITIES} entities", *tools], rows)


def _array(value: Any) -> NDArray[np.float64]:
    """A matrix, or areas and boxes side by side."""
    if isinstance(value, tuple):
        value = np.column_stack([np.asarray(part, dtype=np.float64) for part in value])
    return np.asarray(value, dtype=np.float64)


def _ours(predictions: Rles, truth: Rles) -> Calls:
    from entityseg.masks import from_coco, iou_matrix

    a, b = from_coco(predictions), from_coco(truth)

    def measured() -> tuple[Any, Any]:
        masks = from_coco(predictions)
        return masks.areas, masks.boxes

    return {
        "decode": lambda: from_coco(predictions),
        "areas and boxes": measured,
        "IoU from strings": lambda: iou_matrix(from_coco(predictions), from_coco(truth)),
        "IoU parsed": lambda: iou_matrix(a, b),
    }


def _pycocotools(predictions: Rles, truth: Rles) -> Calls:
    from pycocotools import mask

    return _coco_like(mask, predictions, truth)


def _ultrafast(predictions: Rles, truth: Rles) -> Calls:
    from ultrafast_pycocotools import mask

    return _coco_like(mask, predictions, truth)


def _coco_like(mask: Any, predictions: Rles, truth: Rles) -> Calls:
    crowd = [0] * len(truth)
    return {
        "decode": lambda: mask.area(predictions),
        "areas and boxes": lambda: (mask.area(predictions), mask.toBbox(predictions)),
        "IoU from strings": lambda: mask.iou(predictions, truth, crowd),
    }


def _rlemasklib(predictions: Rles, truth: Rles) -> Calls:
    from rlemasklib import RLEMask

    read = RLEMask.from_dict
    a, b = [read(rle) for rle in predictions], [read(rle) for rle in truth]

    def measured() -> tuple[Any, Any]:
        masks = [read(rle) for rle in predictions]
        return [mask.area() for mask in masks], [mask.bbox() for mask in masks]

    return {
        "decode": lambda: [read(rle) for rle in predictions],
        "areas and boxes": measured,
        "IoU from strings": lambda: RLEMask.iou_matrix(
            [read(rle) for rle in predictions], [read(rle) for rle in truth]
        ),
        "IoU parsed": lambda: RLEMask.iou_matrix(a, b),
    }


_LOADERS: dict[str, Callable[[Rles, Rles], Calls]] = {
    "ours": _ours,
    "pycocotools": _pycocotools,
    "rlemasklib": _rlemasklib,
    "ultrafast-pycocotools": _ultrafast,
}
