"""Semantic label maps: a list file with a line `image_name png_name` for each image, and grey PNGs of labels.

Labels are 0 to K - 1, and 255 (65,535 in maps of 16 bits) is no class. `categories.json` beside the list says
which category a label is; the EntitySeg release has none. A map holds one annotation a class and image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.coco_json import parse_json_file, read_categories
from entityseg.data.coco_write import category_json, dumps, image_json, write_list
from entityseg.data.formats import _png_files as png
from entityseg.data.formats._semantic_list import Line, is_list, read_lines, split_line
from entityseg.data.formats.base import Format, Holds, Reading
from entityseg.data.image_header import read_header
from entityseg.data.images import finder_for
from entityseg.data.json_file import require_type
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.data.targets import folder_target, refuse_options
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Findings, InputError, input_error, usage_error
from entityseg.files import atomic_file
from entityseg.masks.runlengths import Int64Array, RunLengths

NAME = "semantic"
FILE_NAME = "list.txt"
FOLDER_NAME = "maps"
CATEGORIES_NAME = "categories.json"
# Key of a category's record that says which label it has in the maps.
LABEL = "label"
IGNORE = {1: 255, 2: 65535}
# As many as 15,000 x 35,000; larger than any image of the datasets, small enough to be decoded.
_MAX_PIXELS = 2**29
_LISTS = ("images", "categories")


def readings(path: Path) -> list[Reading]:
    """List the list files in a folder (two levels deep), or the file itself; their first line decides."""
    if path.is_dir():
        files = sorted([*path.glob("*.txt"), *path.glob("*/*.txt"), *path.glob("*/*/*.txt")])
    else:
        files = [path] if path.suffix.lower() == ".txt" else []
    return [Reading(NAME, split_name(file), file) for file in files if is_list(file)]


def split_name(file: Path) -> str:
    """Return a list file's short name.

    >>> split_name(Path("entityseg_semseg_val.txt")), split_name(Path("train.txt"))
    ('val', 'train')
    """
    return file.stem.removeprefix("entityseg_semseg_") or file.stem


def map_folders(file: Path) -> list[Path]:
    """Return the folders where the maps of a list file may lie."""
    split = split_name(file)
    words = (FOLDER_NAME, f"semantic_maps_{split}", f"entityseg_semseg_maps_{split}", split, "labels")
    folders = [file.parent / word for word in words]
    nested = file.parent / f"entityseg_semseg_maps_{split}" / f"semantic_maps_{split}"
    return [*folders, nested, file.parent]


@dataclass(frozen=True)
class _Maps:
    """What is needed to read a map: where it lies, which labels there are, which of them are no class."""

    root: Path
    file: str
    labels: Mapping[int, int] | None
    ignore: frozenset[int]


def read(
    path: Path,
    *,
    image_root: Path | None = None,
    png_root: Path | None = None,
    categories: Path | None = None,
    ignore: int | None = None,
    threads: int | None = None,
) -> Dataset:
    """Read semantic maps by their list file (or the `list.txt` of a folder); every map is read at once.

    The masks have the size of the map: the release's maps fit the low-resolution images, also where the list
        is
    used with the high-resolution ones (qqlu/Entity#47). Images of another size are named in the dataset's
    warnings.

    Args:
        path: the list file, or the folder of it.
        image_root: folder of the images.
        png_root: folder of the maps; by default `maps`, `semantic_maps_*` or the list's own folder.
        categories: a JSON with `categories`; by default `categories.json` beside the list. Without, labels
            are numbered names.
        ignore: the label that is no class; by default 255, and 65,535 where labels have 16 bits.
        threads: maps read side by side.

    Raises:
        MissingFileError: there is no list, or no folder with its maps.
        InputError: a line of the list or a map is wrong; all problems are listed.
    """
    path = Path(path)
    file = path / FILE_NAME if path.is_dir() else path
    lines = read_lines(file)
    beside = file.parent / CATEGORIES_NAME
    side = categories if categories is not None else beside if beside.exists() else None
    top: dict[str, Any] = (
        {} if side is None else require_type(parse_json_file(side), dict, "the file", str(side))
    )
    findings = Findings(str(side))
    known = read_categories(top.get("categories"), findings) if side is not None else None
    labels = labels_of(known, findings) if known is not None else None
    images = _images(lines, top.get("images"), findings)
    findings.raise_errors()

    folders = map_folders(file) if png_root is None else [Path(png_root)]
    root = png.find_root(folders, [line.map for line in lines])
    if root is None and lines:
        raise png.missing_folder("list", file, folders)
    ignored = _ignored(ignore, labels)
    maps = _Maps(root or folders[0], str(file), labels, ignored)
    image_root = image_root or png.image_folder(file, split_name(file), [one.file_name for one in images])

    findings = Findings(str(file))
    annotated: list[AnnotatedImage] = []
    seen: set[int] = set()
    total = 0
    read_map = map_in_order(lambda i: _read_map(maps, lines[i]), range(len(lines)), threads=threads)
    for i, (found, masks, problems) in enumerate(read_map):
        findings.extend(problems)
        seen.update(found.tolist())
        _warn_of_size(findings, lines[i], images[i], masks, image_root)
        image = replace(images[i], height=masks.height, width=masks.width)
        ids = np.arange(total + 1, total + 1 + len(found), dtype=np.int64)
        total += len(found)
        annotated.append(AnnotatedImage(image, masks, ids, found, np.zeros(len(found), bool)))
    findings.raise_errors()
    listed = known if known is not None else [Category(label, f"class_{label}") for label in sorted(seen)]
    dataset = Dataset.build(
        annotated,
        [replace(one, extra={k: v for k, v in one.extra.items() if k != LABEL}) for one in listed],
        info={key: value for key, value in top.items() if key not in _LISTS},
        path=file,
        image_root=image_root,
    )
    return replace(dataset, warnings=findings)


def labels_of(categories: Sequence[Category], findings: Findings) -> dict[int, int]:
    """Return each label's category: as `label` says, else by id if ids are 0 to K - 1, else by place."""
    stated: list[Any] = [category.extra.get(LABEL) for category in categories]
    ids = [category.id for category in categories]
    if all(isinstance(label, int) and not isinstance(label, bool) for label in stated):
        labels = stated
    elif sorted(ids) == list(range(len(ids))):
        labels = ids
    else:
        labels = list(range(len(ids)))
    if len(set(labels)) < len(labels):
        message = "two categories have the same label"
        findings.add("label.duplicate", message, "Give each category a label of its own.", field=LABEL)
    return dict(zip(labels, ids, strict=True))


def _ignored(ignore: int | None, labels: Mapping[int, int] | None) -> frozenset[int]:
    if ignore is not None:
        return frozenset([ignore])
    return frozenset(IGNORE.values()) - frozenset(labels or ())


def _images(lines: Sequence[Line], listed: Any, findings: Findings) -> list[ImageRecord]:
    """Return an image for each line; the JSON beside the list may have its id and other keys."""
    from entityseg.data.coco_json import read_images

    records = [] if listed is None else read_images(listed, findings)
    by_name = {record.file_name: record for record in records}
    if all(line.image in by_name for line in lines):
        return [by_name[line.image] for line in lines]
    # The size is not known before the map is read.
    return [ImageRecord(number, line.image, 0, 0) for number, line in enumerate(lines, 1)]


def _read_map(maps: _Maps, line: Line) -> tuple[Int64Array, RunLengths, Findings]:
    """Return category ids, their masks, and what is wrong with a map."""
    from entityseg.masks import from_panoptic_png

    findings = Findings(maps.file)
    nothing = np.empty(0, np.int64), RunLengths.empty((1, 1)), findings
    path = png.find_png(maps.root, line.map)
    if path is None:
        findings.append(png.missing_file(maps.root / line.map, line.place))
        return nothing
    try:
        png.refuse_colour(path)
        size = png.png_size(path, _MAX_PIXELS)
        found, masks = from_panoptic_png(path, size=size, background=None)
    except InputError as error:
        for finding in png.located(error, path, line.place):
            findings.append(finding)
        return nothing
    keep = ~np.isin(found, list(maps.ignore))
    found, masks = found[keep], masks[keep]
    if maps.labels is None:
        return found, masks, findings
    for label in found.tolist():
        if label not in maps.labels:
            message = f"the map has a label that no category has; labels are {_span(maps.labels)}"
            remedy = "Check that map and categories belong together and which label is ignored."
            findings.add("label.unknown", message, remedy, file=str(path), record=line.place, value=label)
    if findings.errors:
        return nothing
    return np.array([maps.labels[label] for label in found.tolist()], np.int64), masks, findings


def _span(labels: Mapping[int, int]) -> str:
    return f"{min(labels)} to {max(labels)}" if labels else "none"


def _warn_of_size(
    findings: Findings, line: Line, stated: ImageRecord, masks: RunLengths, image_root: Path | None
) -> None:
    """Warn where the image has another size than its map; the map's size is what the masks have."""
    if masks.size == (1, 1) and findings.errors:
        return
    sizes = {stated.size} if stated.height else set()
    path = finder_for(image_root).find(line.image) if image_root is not None else None
    if path is not None:
        try:
            header = read_header(path)
        except InputError as error:
            for finding in error.findings:
                findings.append(replace(finding, severity="warning"))
        else:
            sizes |= set() if header.shown_size == masks.size else {header.size}
    for height, width in sorted(sizes - {masks.size}):
        message = (
            f"the map is {masks.height} x {masks.width}, the image {height} x {width} (height x width); "
            "the masks have the map's size"
        )
        remedy = "Use the low-resolution images with these maps, or resize one of them."
        where = {"record": line.place, "field": "png_name", "value": line.map}
        findings.add("map.size", message, remedy, severity="warning", **where)


def write(
    dataset: Dataset,
    path: Path,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
    **unused: Any,
) -> None:
    """Write a folder with `maps/*.png`, `categories.json` and, last, `list.txt`.

    Annotations of one class are joined. Maps have 8 bits for up to 255 categories, else 16.

    Args:
        dataset: what to write; the masks of an image must not overlap.
        path: the folder.
        overwrite: replace what is there.
        threads: images written side by side.
        progress: shows how far the images are.
        unused: options that the format does not have.

    Raises:
        UsageError: the folder is there and is not empty, or an option is unknown.
        InputError: masks overlap, or there are 65,535 categories or more.
    """
    refuse_options(unused)
    png.require_known_categories(dataset)
    ids = [category.id for category in dataset.categories]
    if len(ids) >= IGNORE[2]:
        message = f"{len(ids)} categories do not fit maps of 16 bits"
        raise input_error("label.many", message, "Choose fewer of them (`subset`).")
    labels = {one: one if sorted(ids) == list(range(len(ids))) else k for k, one in enumerate(ids)}
    names = [name.replace(" ", "_") for name in png.written_names(dataset.images)]
    _refuse_names(dataset, names)
    with folder_target(path, FILE_NAME, overwrite=overwrite) as folder:

        def one_image(index: int) -> None:
            _write_map(dataset[index], folder / FOLDER_NAME / names[index], labels)

        indices = progress(range(len(dataset)), len(dataset), "writing")
        for _ in map_in_order(one_image, indices, threads=threads):
            pass
        with atomic_file(folder / CATEGORIES_NAME) as out:
            out.write(b"{")
            for key, value in dataset.info.items():
                out.write(dumps(key) + b":" + dumps(value) + b",\n" if key not in _LISTS else b"")
            write_list(out, "images", ([dumps(image_json(image))] for image in dataset.images))
            out.write(b",\n")
            records = ({**category_json(one, "isthing"), LABEL: labels[one.id]} for one in dataset.categories)
            write_list(out, "categories", ([dumps(record)] for record in records))
            out.write(b"}\n")
        lines = [f"{image.file_name} {name}\n" for image, name in zip(dataset.images, names, strict=True)]
        with atomic_file(folder / FILE_NAME) as out:
            out.write("".join(lines).encode())


def _refuse_names(dataset: Dataset, names: Sequence[str]) -> None:
    """Refuse what a list file cannot say: no images at all, names that repeat, names that it would cut."""
    remedy = "Rename the images, or use another format."
    images = [image.file_name for image in dataset.images]
    if not images:
        message, remedy = "a list file cannot say that there are no images", "Use another format."
        raise usage_error("semantic.names", message, remedy)
    for what, listed in (("images", images), ("maps", [name.casefold() for name in names])):
        if len(set(listed)) < len(listed):
            raise usage_error("semantic.names", f"the names of {what} repeat in the list file", remedy)
    for image, name in zip(dataset.images, names, strict=True):
        line = f"{image.file_name} {name}"
        if split_line(line.strip()) != (image.file_name, name) or {"\n", "\r"} & set(line):
            message = "a list file cannot hold this file name"
            where = {"record": f"image {image.id}", "field": "file_name", "value": image.file_name}
            raise usage_error("semantic.names", message, remedy, **where)


def _write_map(one: AnnotatedImage, path: Path, labels: Mapping[int, int]) -> None:
    from PIL import Image

    from entityseg.masks import to_id_map

    kind = np.uint8 if len(labels) <= IGNORE[1] else np.uint16
    ignore = IGNORE[np.dtype(kind).itemsize]
    values = np.array([labels[category] for category in one.category_ids.tolist()], np.int64)
    pixels = to_id_map(one.masks, values, kind, background=ignore)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        Image.fromarray(pixels).save(file, format="PNG", compress_level=1)


FORMAT = Format(
    name=NAME,
    summary="semantic label maps: a PNG of labels for each image and a list file",
    readings=readings,
    read=read,
    write=write,
    holds=Holds(
        overlap=False, crowd=False, ids=False, extras=False, same_class_apart=False, empty_masks=False
    ),
    folder_only=True,
)
