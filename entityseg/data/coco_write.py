"""COCO-like JSON, written record by record: 600,000 masks never stand in memory as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Literal

import orjson

from entityseg.data.json_file import NotFinite
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import input_error, usage_error
from entityseg.masks.coco import to_counts, to_strings
from entityseg.masks.runlengths import RunLengths

Encoding = Literal["rle", "counts", "polygons"]
ENCODINGS: tuple[Encoding, ...] = ("rle", "counts", "polygons")
# How a category says whether it is a thing: COCO's panoptic files `isthing` (0/1), EntitySeg's `type`.
ThingKey = Literal["isthing", "type"]
_LISTS = ("images", "annotations", "categories")


def write_coco(
    dataset: Dataset,
    file: IO[bytes],
    *,
    encoding: Encoding = "rle",
    thing_key: ThingKey = "isthing",
    head: Mapping[str, Any] | None = None,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write a dataset as COCO-like JSON: one record a line, `area` and `bbox` recomputed, other keys kept.

    Args:
        dataset: what to write.
        file: open for binary writing.
        encoding: `rle` (compressed), `counts` (lists of run lengths) or `polygons` (holes are lost; crowds
            and empty masks, which polygons cannot say, stay compressed).
        thing_key: key under which a category says that it is a thing, where its record has no such key yet.
        head: top-level keys that come first.
        threads: images encoded side by side.
        progress: shows how far the images are.

    Raises:
        UsageError: there is no such encoding.
        InputError: a mask of the dataset is malformed.
        OSError: the disk is full or not writable.
    """
    if encoding not in ENCODINGS:
        remedy = f"Use one of {', '.join(ENCODINGS)}."
        raise usage_error("coco.encoding", "masks have no such encoding", remedy, value=encoding)
    file.write(b"{")
    # Another file's marker of our own format does not belong to this one.
    kept = {key: value for key, value in dataset.info.items() if key not in (*_LISTS, "entityseg")}
    top = {**(head or {}), **kept}
    for key, value in top.items():
        file.write(dumps(key) + b":" + dumps(value) + b",\n")

    def one_image(index: int) -> list[bytes]:
        return list(annotation_lines(dataset[index], encoding))

    write_list(file, "images", ([dumps(image_json(image))] for image in dataset.images))
    file.write(b",\n")
    indices = progress(range(len(dataset)), len(dataset), "writing")
    write_list(file, "annotations", map_in_order(one_image, indices, threads=threads))
    file.write(b",\n")
    write_list(file, "categories", ([dumps(category_json(one, thing_key))] for one in dataset.categories))
    file.write(b"}\n")


def write_list(file: IO[bytes], key: str, batches: Iterator[list[bytes]]) -> None:
    """Write `"key":[...]` with one line a record."""
    file.write(dumps(key) + b":[")
    separator = b"\n"
    for lines in batches:
        if lines:
            file.write(separator + b",\n".join(lines))
            separator = b",\n"
    file.write(b"]")


def dumps(value: Any) -> bytes:
    """Return compact JSON; NaN and infinities become null.

    Raises:
        InputError: the value is nested more deeply than orjson writes (254), though it reads it (1,024).
    """
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as error:
        if "Recursion" not in str(error):
            raise
        message, remedy = "a value is nested more than 254 deep", "Take it out of the source."
        keys = value if isinstance(value, Mapping) else {}
        record = ", ".join(f"{key} {keys[key]}" for key in ("image_id", "id") if key in keys)
        raise input_error("json.deep", message, remedy, record=record or None) from error


def image_json(image: ImageRecord) -> dict[str, Any]:
    """Return an image's record."""
    record = {"id": image.id, "file_name": image.file_name, "height": image.height, "width": image.width}
    return with_extra(record, image.extra)


def category_json(category: Category, thing_key: ThingKey) -> dict[str, Any]:
    """Return a category's record; `type` or `isthing` as it was read, else under `thing_key` if it is known.

    >>> category_json(Category(3, "sky", isthing=False), "type")
    {'id': 3, 'name': 'sky', 'type': 'stuff'}
    """
    record: dict[str, Any] = {"id": category.id, "name": category.name}
    if category.supercategory is not None:
        record["supercategory"] = category.supercategory
    if category.isthing is not None and not {"isthing", "type"} & set(category.extra):
        words = {"isthing": int(category.isthing), "type": "thing" if category.isthing else "stuff"}
        record[thing_key] = words[thing_key]
    return with_extra(record, category.extra)


def with_extra(record: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record with other keys behind its own."""
    return {**record, **{key: value for key, value in extra.items() if key not in record}}


def annotation_lines(one: AnnotatedImage, encoding: Encoding) -> Iterator[bytes]:
    """Yield the JSON of each annotation of an image."""
    columns = zip(
        one.ids.tolist(), one.category_ids.tolist(), one.iscrowd.tolist(),
        one.masks.areas.tolist(), one.masks.boxes.tolist(), _segmentations(one, encoding), strict=True,
    )  # fmt: skip
    for row, (annotation_id, category_id, crowd, area, box, segmentation) in enumerate(columns):
        record = {
            "id": annotation_id,
            "image_id": one.image.id,
            "category_id": category_id,
            "iscrowd": int(crowd),
            "area": area,
            "bbox": box,
            "segmentation": segmentation,
        }
        yield dumps(with_extra(record, one.extra_of(row)))


def _segmentations(one: AnnotatedImage, encoding: Encoding) -> Sequence[Any]:
    compressed = _COUNTS["rle"]
    size = list(one.masks.size)
    if encoding != "polygons":
        return [{"size": size, "counts": counts} for counts in _COUNTS[encoding](one.masks)]
    from entityseg.masks import to_polygons

    polygons = to_polygons(one.masks)
    keep = one.iscrowd | (one.masks.areas == 0)
    strings = iter(compressed(one.masks[keep]))
    return [
        {"size": size, "counts": next(strings)} if kept else parts
        for kept, parts in zip(keep.tolist(), polygons, strict=True)
    ]


_COUNTS: dict[str, Callable[[RunLengths], Sequence[Any]]] = {
    "rle": lambda masks: [counts.decode("ascii") for counts in to_strings(masks)],
    "counts": to_counts,
}


def _plain(value: Any) -> Any:
    if isinstance(value, NotFinite):
        return None
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
