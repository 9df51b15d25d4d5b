"""The scenes of a written mini dataset, brought to the size of COCO's pictures, for the sets of other tasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.images import find_image
from entityseg.data.json_file import parse_json_file
from entityseg.data.loading import load
from entityseg.data.mini.coco_shapes import Shape, shapes_of, to_jpeg
from entityseg.data.mini.phrases import Item
from entityseg.data.mini.write import MARKER
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import usage_error
from entityseg.masks import RunLengths, Size, resize

LONG = 640
# Entities that keep fewer pixels at the tasks' size are left out of them: void in a partition.
SMALLEST = 20


@dataclass(frozen=True, eq=False)
class TaskScene:
    """A scene at the tasks' size.

    Attributes:
        name: of the scene.
        index: its number in the set.
        half: "train" or "val".
        title: what it shows, in words.
        file: its picture at low resolution.
        large: masks of all its entities at low resolution, n of them.
        numbers: the entities' numbers, int64 [n], ascending.
        every: their descriptions, in the order of `large`.
        items: those that keep at least `SMALLEST` pixels.
        masks: of `items`, at the tasks' size.
    """

    name: str
    index: int
    half: str
    title: str
    file: Path
    large: RunLengths
    numbers: NDArray[np.int64]
    every: tuple[Item, ...]
    items: tuple[Item, ...]
    masks: RunLengths

    @property
    def image_id(self) -> int:
        """The picture's id in all sets that number their pictures."""
        return self.index + 1

    @cached_property
    def row(self) -> dict[int, int]:
        """Row of `items` and `masks` by number."""
        return {item.number: row for row, item in enumerate(self.items)}

    @cached_property
    def shapes(self) -> list[Shape]:
        """The masks as COCO writes them."""
        return shapes_of(self.masks)

    def mask(self, numbers: Iterable[int]) -> RunLengths:
        """Masks of some entities, in ascending order of their numbers."""
        return self.masks[[self.row[number] for number in sorted(numbers)]]

    def picture(self) -> NDArray[np.uint8]:
        """The picture [height, width, 3] at low resolution, in which clips and cuttings are made."""
        from PIL import Image

        with Image.open(self.file) as opened:
            return np.asarray(opened.convert("RGB"))

    @cached_property
    def jpeg(self) -> bytes:
        """The picture at the tasks' size, as a JPEG file."""
        from PIL import Image

        with Image.open(self.file) as opened:
            small = opened.convert("RGB").resize(self.masks.size[::-1], Image.Resampling.BILINEAR)
        return to_jpeg(np.asarray(small))


def read_scenes(
    folder: str | Path, *, scenes: int | None = None, progress: Progress = no_progress
) -> list[TaskScene]:
    """Read a folder that `write_mini` made; `scenes` takes only the first of them.

    Raises:
        UsageError: there is no mini dataset in the folder.
    """
    folder = Path(folder)
    if not (folder / MARKER).is_file():
        message = f"there is no mini dataset here, {MARKER} is missing"
        raise usage_error("mini.missing", message, "Make it with `entityseg data mini`.", file=str(folder))
    told = parse_json_file(folder / MARKER)["scenes"]
    told = [one for one in told if scenes is None or one["index"] < scenes]
    sets = {half: load(folder, split=f"{half}_lr") for half in ("train", "val")}

    def read(one: dict[str, Any]) -> TaskScene:
        dataset = sets[one["split"]]
        annotated = dataset.image(one["image_id"])
        file = find_image(dataset, annotated.image)
        if file is None:
            message = f"the picture {annotated.image.file_name} is missing"
            raise usage_error("mini.image", message, "Make the mini dataset anew.", file=str(folder))
        number = {entity["annotation_id"]: k for k, entity in enumerate(one["entities"], start=1)}
        numbers = np.array([number[one_id] for one_id in annotated.ids.tolist()], np.int64)
        small = resize(annotated.masks, _task_size(annotated.image.size))
        every = tuple(
            _item(number, one["entities"][number - 1], area)
            for number, area in zip(numbers.tolist(), small.areas.tolist(), strict=True)
        )
        kept = np.flatnonzero(small.areas >= SMALLEST)
        return TaskScene(
            one["name"], one["index"], one["split"], one["title"], file, annotated.masks, numbers, every,
            tuple(every[row] for row in kept.tolist()), small[kept],
        )  # fmt: skip

    return sorted(progress(map_in_order(read, told), len(told), "reading"), key=lambda scene: scene.index)


def _task_size(size: Size) -> Size:
    scale = LONG / max(size)
    return round(size[0] * scale), round(size[1] * scale)


def _item(number: int, told: dict[str, Any], area: int) -> Item:
    x, y = told["centre"]
    return Item(
        number, told["name"], told["category_id"], told["isthing"], tuple(told["colours"]), told["texture"],
        told["shape"], told["position"], x, y, area, told["parent"] or 0, told["relation"] or "",
    )  # fmt: skip


def image_record(scene: TaskScene, file_name: str, image_id: int | str | None = None) -> dict[str, Any]:
    """A picture as COCO writes it."""
    height, width = scene.masks.size
    number = scene.image_id if image_id is None else image_id
    return {"id": number, "file_name": file_name, "height": height, "width": width}
