"""Reasoning questions on disk, with the polygons of their answers, as ReasonSeg has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.mini import questions
from entityseg.data.mini.coco_shapes import put
from entityseg.data.mini.task_scenes import TaskScene
from entityseg.files import write_json
from entityseg.masks import RunLengths, from_polygons, intersections, to_polygons, union


def write_reasoning(root: Path, scenes: Sequence[TaskScene], seed: int) -> None:
    """Write `ReasonSeg/`: questions with polygons of the answer, in train, val and test."""
    explained = []
    turn = 0
    for scene in scenes:
        rng = np.random.default_rng([seed, 23, scene.index])
        asked = questions.ask(scene.items, rng)
        split = "train"
        if scene.half == "val":
            split = ("val", "test")[turn % 2]
        written = 0
        for question in asked:
            shapes = _shapes(scene, question)
            if shapes is None:
                continue
            name = f"{scene.name}_{written}"
            put(root / split / f"{name}.jpg", scene.jpeg)
            record = {"text": list(question.texts), "is_sentence": question.is_sentence, "shapes": shapes}
            write_json(root / split / f"{name}.json", record)
            if split == "train":
                answers = sorted({scene.items[scene.row[n]].category for n in question.targets})
                words = f"It is what is called {' or '.join(answers)} here."
                explained.append({"image": f"{name}.jpg", "query": question.texts[0], "outputs": words})
            written += 1
            if written == (1 if split == "train" else 3):
                break
        turn += scene.half == "val" and written > 0
    write_json(root / "explanatory" / "train.json", explained)


def _shapes(scene: TaskScene, question: questions.Question) -> list[dict[str, Any]] | None:
    """The answer as polygons: `target`, and `ignore` for what lies in its holes; None if holes would be lost."""
    target = union(scene.mask(question.targets))
    filled = from_polygons(to_polygons(target), target.size)
    lost = int(filled.areas[0] - target.areas[0])
    others = [row for row, item in enumerate(scene.items) if item.number not in question.targets]
    inside: list[int] = []
    if lost and others:
        common = intersections(scene.masks[others], filled)[:, 0].tolist()
        found = [(row, n) for row, n in zip(others, common, strict=True) if n > 0.5 * scene.items[row].area]
        inside = [row for row, _ in found]
        lost -= sum(n for _, n in found)
    # What the polygons of what is inside fill in turn is ignored too, so only a little may be.
    if lost > 0.04 * int(target.areas[0]):
        return None
    ignored = scene.masks[inside]
    over = intersections(from_polygons(to_polygons(ignored), ignored.size), target) if inside else np.zeros(1)
    if float(over.sum()) > 0.04 * int(target.areas[0]):
        return None
    return [
        {"label": label, "labels": [label], "shape_type": "polygon", "points": points}
        for label, masks in (("target", target), ("ignore", ignored))
        for points in inner_outlines(masks)
    ]


def inner_outlines(masks: RunLengths) -> list[list[list[float]]]:
    """Outer contours through the centres of the outermost pixels, [[x, y], ...] in pixel numbers.

    Filled together with their lines, as ReasonSeg's reader does it, they give back the masks without holes.

    >>> inner_outlines(RunLengths((3, 4), [4, 6], [0, 2]))
    [[[1.0, 1.0], [1.0, 1.0], [1.0, 2.0], [1.0, 2.0]]]
    """
    found = []
    for parts in to_polygons(masks):
        for flat in parts:
            corners = np.array(flat).reshape(-1, 2)
            leave = np.sign(np.roll(corners, -1, axis=0) - corners)
            come = np.roll(leave, 1, axis=0)
            # Contours run clockwise on the screen: the inside is to the right, (dx, dy) -> (-dy, dx).
            inward = (come + leave)[:, ::-1] * (-1, 1)
            found.append((corners - 0.5 + 0.5 * inward).tolist())
    return found
