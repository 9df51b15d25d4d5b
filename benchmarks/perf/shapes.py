"""Convexity and perimeter of masks: ours from runs, scikit-image and OpenCV from pixels, one thread each."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks.perf.timing import in_turn, markdown, ratio
from entityseg.masks import RunLengths, from_coco, to_dense
from entityseg.stats.shape import ShapeChoices, Shapes, shapes

Dense = NDArray[np.bool_]
# [n, 2]: area of the hull, perimeter.
Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Input:
    """All masks of an image: as runs, as COCO's encoded masks, and cut to their boxes as pixels."""

    masks: RunLengths
    encoded: list[Any]
    cut: list[Dense]


REFERENCE = "scikit-image"
_SKIMAGE = ShapeChoices(perimeter="skimage")
_OPENCV = ShapeChoices(perimeter="contour", holes=False, hull="centres")


def _ours(choices: ShapeChoices) -> Callable[[Input], Figures]:
    def run(given: Input) -> Figures:
        # A new value each time, so that what is known of its boxes is measured too.
        masks = given.masks
        measured = Shapes(RunLengths.trusted(masks.size, masks.edges, masks.offsets))
        measured.convexity(choices)
        measured.simplicity(choices)
        return np.stack([measured.hull_areas(choices), measured.perimeters(choices)], axis=1)

    return run


def _all_columns(given: Input) -> Figures:
    masks = given.masks
    table = shapes(RunLengths.trusted(masks.size, masks.edges, masks.offsets))
    return np.stack([table["hull_area"], table["perimeter"]], axis=1)


def _regionprops(perimeter: str) -> Callable[[Input], Figures]:
    from skimage.measure import regionprops

    def run(given: Input) -> Figures:
        figures = []
        for mask in given.cut:
            (region,) = regionprops(mask.view(np.uint8))
            figures.append((region["area_convex"], region[perimeter]))
        return np.array(figures, float)

    return run


def _decoded(encoded: Any) -> NDArray[np.uint8]:
    """Returns the pixels in the mask's box, by pycocotools."""
    from pycocotools import mask as coco_mask

    x, y, width, height = (int(side) for side in coco_mask.toBbox(encoded))
    pixels: NDArray[np.uint8] = coco_mask.decode(encoded)
    return np.ascontiguousarray(pixels[y : y + height, x : x + width])


def _opencv(decode: bool) -> Callable[[Input], Figures]:
    cv2 = import_module("cv2")
    cv2.setNumThreads(1)

    def run(given: Input) -> Figures:
        figures = []
        for i, mask in enumerate(given.cut):
            pixels = _decoded(given.encoded[i]) if decode else mask.view(np.uint8)
            contours, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            hull = cv2.contourArea(cv2.convexHull(np.concatenate(contours)))
            figures.append((hull, sum(cv2.arcLength(contour, True) for contour in contours)))
        return np.array(figures, float)

    return run


TOOLS: dict[str, Callable[[], Callable[[Input], Figures]]] = {
    "ours": lambda: _ours(ShapeChoices()),
    "ours, scikit-image's perimeter": lambda: _ours(_SKIMAGE),
    "ours, OpenCV's contour and hull": lambda: _ours(_OPENCV),
    "ours, all columns of shapes": lambda: _all_columns,
    REFERENCE: lambda: _regionprops("perimeter"),
    "scikit-image, Crofton": lambda: _regionprops("perimeter_crofton"),
    "OpenCV": lambda: _opencv(decode=False),
    "OpenCV, decoding counted": lambda: _opencv(decode=True),
}
# Pairs that measure the same, which of the two figures, and how closely: OpenCV adds up in float32.
_EQUAL = [
    ("ours", "scikit-image, Crofton", 1, 1e-9),
    ("ours, scikit-image's perimeter", REFERENCE, 1, 1e-9),
    ("ours, OpenCV's contour and hull", "OpenCV", 1, 1e-4),
    ("ours, OpenCV's contour and hull", "OpenCV", 0, 1e-9),
]


def compare(
    data: Path, tools: Sequence[str] = tuple(TOOLS), images: int = 8, repeat: int = 3
) -> dict[str, Any]:
    """Measures each tool in turn on the ground truth's masks, one thread each, and takes medians.

    Ours starts from run lengths. The others get each mask as pixels, cut to its box with one pixel around, without
    being charged for decoding and cutting; the last row charges OpenCV for it, with pycocotools as the decoder. OpenCV
    is left out, with a word, where it is not installed.

    Args:
        data: A folder with `gt.json` (see `generate`).
        tools: Names from `TOOLS`.
        images: Images to take, evenly spread over the file.
        repeat: Measurements of each, after one that does not count.

    Returns:
        `masks`, `runs` a mask, `repeat`, `versions`, `missing`, and under `seconds` for each tool the time of a mask.

    Raises:
        RuntimeError: If two tools that measure the same do not agree.
    """
    inputs = _inputs(data, images)
    runs, missing = {}, []
    for name in tools:
        try:
            runs[name] = TOOLS[name]()
        except ModuleNotFoundError:
            missing.append(name)
    n_masks = sum(len(given.masks) for given in inputs)
    figures = {name: np.concatenate([run(given) for given in inputs]) for name, run in runs.items()}
    _check(figures)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeat):
        for name in in_turn(list(runs), turn):
            begin = time.process_time()
            for given in inputs:
                runs[name](given)
            seconds[name].append((time.process_time() - begin) / n_masks)
    return {
        "data": data.name,
        "images": len(inputs),
        "masks": n_masks,
        "runs": sum(len(given.masks.edges) for given in inputs) / 2 / n_masks,
        "repeat": repeat,
        "versions": {name: _version(name) for name in runs},
        "missing": missing,
        "seconds": {name: statistics.median(values) for name, values in seconds.items()},
    }


def _inputs(data: Path, images: int) -> list[Input]:
    truth = json.loads((data / "gt.json").read_bytes())
    sizes = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
    encoded: dict[int, list[Any]] = {}
    for annotation in truth["annotations"]:
        encoded.setdefault(annotation["image_id"], []).append(annotation["segmentation"])
    ids = list(encoded)
    images = min(images, len(ids))
    chosen = [ids[k * len(ids) // images] for k in range(images)]
    inputs = []
    for image_id in chosen:
        masks = from_coco(encoded[image_id], sizes[image_id])
        inputs.append(Input(masks, encoded[image_id], [_cut(masks, i) for i in range(len(masks))]))
    return inputs


def _cut(masks: RunLengths, index: int) -> Dense:
    x, y, width, height = masks.boxes[index].tolist()
    return np.pad(to_dense(masks[index])[0, y : y + height, x : x + width], 1)


def _check(figures: dict[str, Figures]) -> None:
    for ours, theirs, which, tolerance in _EQUAL:
        if ours not in figures or theirs not in figures:
            continue
        found, expected = figures[ours][:, which], figures[theirs][:, which]
        if not np.allclose(found, expected, rtol=tolerance, atol=0):
            worst = int(np.abs(found - expected).argmax())
            what = ("hull area", "perimeter")[which]
            message = f"{ours}: the {what} of mask {worst} is {found[worst]!r}"
            raise RuntimeError(f"{message}, {theirs} has {expected[worst]!r}")


def table(report: dict[str, Any]) -> str:
    """Returns the report as a Markdown table."""
    seconds = report["seconds"]
    slowest, opencv = (seconds.get(name, float("nan")) for name in (REFERENCE, "OpenCV"))
    rows = [
        [
            f"{name} {report['versions'][name]}".strip(),
            f"{1000 * value:.4f}",
            ratio(slowest, value),
            ratio(opencv, value),
        ]
        for name, value in seconds.items()
    ]
    title = (
        f"### Hull area and perimeter, {report['masks']:,} masks of {report['images']} images, {report['runs']:.0f} "
        f"runs a mask, one thread, median of {report['repeat']}"
    )
    notes = "".join(f"\n\n{name} is not installed." for name in report["missing"])
    head = ["tool", "CPU ms a mask", f"x {REFERENCE}", "x OpenCV"]
    return f"{title}\n\n{markdown(head, rows)}{notes}"


def _version(tool: str) -> str:
    if tool.startswith("ours"):
        return ""
    try:
        return version("scikit-image" if tool.startswith(REFERENCE) else "opencv-python-headless")
    except PackageNotFoundError:
        return ""
