"""Sets that are pictures of masks, on disk: OCID, CAMO++, FSS-1000 and DIS5K."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.mini.coco_shapes import annotation, put, to_jpeg, to_png
from entityseg.data.mini.partitions import ABOUT
from entityseg.data.mini.phrases import Item
from entityseg.data.mini.task_scenes import TaskScene, image_record
from entityseg.data.mini.vocabulary import new_name
from entityseg.files import write_bytes, write_json
from entityseg.masks import boundary_band, to_id_map, union

Box = tuple[int, int, int, int]

# Group and class, as the files' names have them -> the categories or shapes that belong together.
_THIN: dict[str, tuple[str, ...]] = {
    "Structures#Masts": ("mast", "wire"),
    "Structures#Fence": ("fence",),
    "Furniture#Ladder": ("ladder",),
    "Furniture#Shelf": ("shelf",),
    "Machines#Crane": ("crane",),
    "Plants#Flowers": ("flower",),
    "Jewelry#Ring": ("ring",),
    "Structures#Windows": ("square, with panes",),
    "Shells#Spiral": ("spiral",),
}
_DIS_EACH = 5
_FSS_SIDE, _FSS_EACH, _FSS_CLASSES = 224, 10, 16


@lru_cache(maxsize=4)
def _pixels(scene: TaskScene) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """A scene's picture and entity numbers at low resolution."""
    return scene.picture(), to_id_map(scene.large, scene.numbers, np.uint16).astype(np.uint16)


def write_ocid(root: Path, scenes: Sequence[TaskScene]) -> None:
    """Write `OCID-dataset/`: views with label PNG: 0 far away, 1 (and on tables 2) what things stand on.

    Each sequence has the whole scene and a nearer view; things count from 2, in sequences on tables from 3.
    """
    chosen = [scene for scene in scenes if scene.half == "val"][:8]
    for k, scene in enumerate(chosen):
        place = ("floor", "table")[k % 2]
        family = ("ARID20", "YCB10")[k // 2 % 2]
        folder = root / family / place / ("top", "bottom")[k // 4 % 2] / f"seq{k // 2 + 1:02d}"
        picture, numbers = _pixels(scene)
        stuff = sorted((item for item in scene.every if not item.isthing), key=lambda item: -item.area)
        things = sorted((item for item in scene.every if item.isthing), key=lambda item: -item.area)
        first = 3 if place == "table" else 2
        label = np.zeros(int(numbers.max(initial=0)) + 1, np.uint8)
        for value, item in enumerate(stuff[: first - 1], start=1):
            label[item.number] = value
        # A label is one byte; more things than that stay background.
        kept = sorted(item.number for item in things[:100])
        label[kept] = np.arange(first, first + len(kept))
        height, width = numbers.shape
        for frame, share in enumerate((1.0, 0.6)):
            box = _centred(width, height, share)
            seen, ids = _cut(picture, numbers, box, 480)
            name = f"result_2024-01-01-12-00-{frame:02d}.png"
            put(folder / "rgb" / name, to_png(seen))
            put(folder / "label" / name, to_png(label[ids]))


def write_camouflaged(root: Path, scenes: Sequence[TaskScene]) -> None:
    """Write `CAMO++/`: instances that have a colour of what they lie on, as COCO JSON with pictures."""
    images = []
    records: list[dict[str, Any]] = []
    for scene in scenes:
        of = {item.number: item for item in scene.every}
        hidden = [
            row
            for row, item in enumerate(scene.items)
            if item.isthing and item.parent in of and set(item.colours) & set(of[item.parent].colours)
        ]
        if not hidden or scene.half != "val":
            continue
        file_name = f"camourflage_{scene.image_id:05d}.jpg"
        put(root / "images" / file_name, scene.jpeg)
        images.append(image_record(scene, file_name))
        for row in hidden:
            shape = scene.shapes[row]
            records.append(annotation(len(records) + 1, scene.image_id, 1, shape))
    categories = [{"id": 1, "name": "camouflaged", "supercategory": "camouflaged"}]
    top = {"info": ABOUT, "images": images, "annotations": records, "categories": categories}
    write_json(root / "instances_test.json", top)


def write_few_shot(root: Path, scenes: Sequence[TaskScene]) -> None:
    """Write `fewshot_data/`: up to ten small pictures of each class with one mask each, 0 or 255, and its list."""
    ordered = sorted(scenes, key=lambda scene: (scene.half != "val", scene.index))
    members: dict[str, list[tuple[TaskScene, Item]]] = {}
    for scene in ordered:
        taken: dict[str, int] = {}
        for item in sorted(scene.items, key=lambda item: -item.area):
            names = new_name(item)
            share = item.area / scene.masks.pixels
            if not names or not item.isthing or not 0.003 < share < 0.2 or taken.get(names[0], 0) == 2:
                continue
            taken[names[0]] = taken.get(names[0], 0) + 1
            members.setdefault(names[0], []).append((scene, item))
    largest = sorted(members, key=lambda name: (-min(len(members[name]), _FSS_EACH), name))[:_FSS_CLASSES]
    classes = sorted(name.replace(" ", "_") for name in largest)
    cut: dict[int, list[tuple[str, int, Item]]] = {}
    for name in largest:
        for k, (scene, item) in enumerate(members[name][:_FSS_EACH], start=1):
            cut.setdefault(scene.index, []).append((name.replace(" ", "_"), k, item))
    for scene in scenes:
        for name, k, item in cut.get(scene.index, []):
            picture, numbers = _pixels(scene)
            same = [one.number for one in scene.every if new_name(one) == new_name(item)]
            box = _around(np.isin(numbers, [item.number]), 0.35, square=True)
            seen, ids = _cut(picture, numbers, box, _FSS_SIDE)
            side = np.zeros((_FSS_SIDE, _FSS_SIDE, 3), np.uint8)
            mask = side.copy()
            height, width = ids.shape
            side[:height, :width] = seen
            mask[:height, :width][np.isin(ids, same)] = 255
            put(root / name / f"{k}.jpg", to_jpeg(side))
            put(root / name / f"{k}.png", to_png(mask))
    write_bytes(root.parent / "fss_test_set.txt", "".join(f"{name}\n" for name in classes).encode())


@dataclass(frozen=True)
class _Thin:
    """A candidate for DIS5K: a scene, a theme, and how intricate its outline is."""

    scene: TaskScene
    theme: str
    numbers: tuple[int, ...]
    intricacy: float


def write_dis(root: Path, scenes: Sequence[TaskScene]) -> None:
    """Write `DIS5K/`: cuttings around thin structures; DIS-TE1 to DIS-TE4 in the order of their intricacy."""
    found = [one for scene in scenes for one in _thin(scene)]
    tests = [one for one in found if one.scene.half == "val"]
    rest = [one for one in found if one.scene.half == "train"]
    # Small sets have too few scenes for validation: those for training help out, and leave DIS-TR.
    need = max(5 - len(tests), 0)
    tests, rest = tests + rest[:need], rest[need:]
    tests = tests[: 5 * _DIS_EACH]
    split = {"DIS-TR": rest[: 2 * _DIS_EACH], "DIS-VD": tests[::5]}
    ranked = sorted((one for k, one in enumerate(tests) if k % 5), key=lambda one: one.intricacy)
    for k in range(4):
        split[f"DIS-TE{k + 1}"] = ranked[k * len(ranked) // 4 : (k + 1) * len(ranked) // 4]
    for name, chosen in split.items():
        for folder in ("im", "gt"):
            (root / name / folder).mkdir(parents=True)
        for one in sorted(chosen, key=lambda one: one.scene.index):
            picture, numbers = _pixels(one.scene)
            truth = np.isin(numbers, one.numbers)
            left, top, right, bottom = _around(truth, 0.1)
            themes = list(_THIN)
            group, kind = one.theme.split("#")
            number = themes.index(one.theme) + 1
            stem = f"{number}#{group}#{number}#{kind}#{one.scene.index:03d}"
            put(root / name / "im" / f"{stem}.jpg", to_jpeg(picture[top:bottom, left:right]))
            mask = truth[top:bottom, left:right] * np.uint8(255)
            put(root / name / "gt" / f"{stem}.png", to_png(mask))


def _thin(scene: TaskScene) -> list[_Thin]:
    found = []
    for theme, names in _THIN.items():
        rows = [row for row, item in enumerate(scene.every) if item.category in names or item.shape in names]
        if not rows:
            continue
        mask = union(scene.large[rows])
        area = int(mask.areas[0])
        if area < 900:
            continue
        edge = int(boundary_band(mask, 1).areas[0])
        numbers = tuple(scene.every[row].number for row in rows)
        found.append(_Thin(scene, theme, numbers, edge**2 / area))
    return found


def _centred(width: int, height: int, share: float) -> Box:
    x, y = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
    return x, y, width - x, height - y


def _around(mask: NDArray[np.bool_], margin: float, *, square: bool = False) -> Box:
    """The box (left, top, right, bottom) around a mask with some room, inside the picture."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    across, down = right - left, bottom - top
    if square:
        across = down = max(across, down, 32)
    x, y = (left + right) / 2, (top + bottom) / 2
    half_x, half_y = (0.5 + margin) * across, (0.5 + margin) * down
    height, width = mask.shape
    if square:
        # Moved inside rather than cut off, so that it stays square wherever the picture has room.
        half_x = half_y = min(half_x, height / 2, width / 2)
        x, y = min(max(x, half_x), width - half_x), min(max(y, half_y), height - half_y)
    return (
        max(round(x - half_x), 0), max(round(y - half_y), 0),
        min(round(x + half_x), width), min(round(y + half_y), height),
    )  # fmt: skip


def _cut(
    picture: NDArray[np.uint8], numbers: NDArray[np.uint16], box: Box, long: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Cut a box out of a scene and bring its long side to `long` pixels."""
    from PIL import Image

    width, height = box[2] - box[0], box[3] - box[1]
    scale = long / max(width, height)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    seen = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, box=box)
    ids = Image.fromarray(numbers.astype(np.int32)).resize(size, Image.Resampling.NEAREST, box=box)
    return np.asarray(seen), np.asarray(ids).astype(np.uint16)
