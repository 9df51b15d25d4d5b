"""Random scoring problems on small images, full of what makes evaluators disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Record = dict[str, Any]


def encode(mask: NDArray[Any]) -> Record:
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode()}


def random_case(seed: int, *, n_images: int = 6, most_predictions: int = 12) -> tuple[Record, list[Record]]:
    """Ground truth and predictions with crowds, ties, duplicates, empty masks, empty images and odd ids."""
    rng = np.random.default_rng(seed)
    images, annotations, predictions = [], [], []
    next_id = int(rng.integers(0, 2))  # Sometimes an annotation id is 0.
    ids = rng.permutation(1000)[:n_images].tolist()
    for image_id in ids:
        height, width = (int(side) for side in rng.integers(3, 130, 2))
        images.append({"id": image_id, "file_name": f"{image_id}.jpg", "height": height, "width": width})
        truth = [_blob(rng, height, width) for _ in range(rng.integers(0, 6))]
        for mask in truth:
            annotations.append(
                {
                    "id": next_id,
                    "image_id": image_id,
                    "category_id": 1,
                    "iscrowd": int(rng.random() < 0.2),
                    # The stated area is the mask's, or wrong.
                    "area": int(mask.sum()) if rng.random() < 0.8 else int(rng.integers(0, 12_000)),
                    "bbox": [0, 0, 1, 1],
                    "segmentation": encode(mask),
                }
            )
            next_id += 1
        for _ in range(rng.integers(0, most_predictions)):
            if truth and rng.random() < 0.8:
                mask = truth[rng.integers(len(truth))].copy()
                mask ^= (rng.random(mask.shape) < rng.choice([0.0, 0.05, 0.2, 0.5])) & mask
            else:
                mask = _blob(rng, height, width)
            score = round(float(rng.random()), int(rng.integers(1, 4)))
            predictions.append(
                {"image_id": image_id, "category_id": 1, "segmentation": encode(mask), "score": score}
            )
    order = rng.permutation(len(predictions))
    return (
        {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "entity"}]},
        [predictions[i] for i in order],
    )


def _blob(rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:height, :width]
    y, x = rng.uniform(0, height), rng.uniform(0, width)
    a, b = rng.uniform(0, height / 1.5), rng.uniform(0, width / 1.5)
    mask: NDArray[np.bool_] = ((rows - y) / (a + 0.1)) ** 2 + ((columns - x) / (b + 0.1)) ** 2 <= 1
    return mask


def write(folder: Path, gt: Record, predictions: list[Record]) -> tuple[Path, Path]:
    gt_path, pred_path = folder / "gt.json", folder / "pred.json"
    gt_path.write_text(json.dumps(gt))
    pred_path.write_text(json.dumps(predictions))
    return gt_path, pred_path
