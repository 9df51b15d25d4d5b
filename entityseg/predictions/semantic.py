"""Semantic predictions: a folder of label PNGs, or a list of one RLE mask a class as detectron2 writes it.

A PNG has 8 or 16 bits, labels 0 to K - 1, and 255 (65,535 in 16 bits) where nothing is predicted; it has the stem of
the image's file name, or the image's id, as its name. The list is `[{file_name, category_id, segmentation}]`;
`image_id` may stand for `file_name`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data import coco_slow
from entityseg.data.coco_json import read_categories
from entityseg.data.coco_scan import Wanted
from entityseg.data.formats._png_files import located, refuse_colour
from entityseg.data.formats.semantic import CATEGORIES_NAME, IGNORE, labels_of
from entityseg.data.json_file import parse_json_file, require_there
from entityseg.data.records import Dataset, ImageRecord
from entityseg.data.views import checked_masks
from entityseg.errors import Finding, Findings, InputError
from entityseg.files import atomic_file
from entityseg.masks import RunLengths, from_panoptic_png, to_id_map
from entityseg.masks.runlengths import Int64Array
from entityseg.predictions.idmap import maps_by_stem
from entityseg.predictions.overlapping import place_of
from entityseg.predictions.records import Predictions
from entityseg.predictions.rle_records import add_unseen_label, from_records, read_rle_records

_WANTED = Wanted("predictions", ids=False, areas=False)


@dataclass(frozen=True)
class SemanticPredictions:
    """The predicted classes of the images of a ground truth, in the order of its images.

    Attributes:
        images: the images of the ground truth.
        classes: returns category ids int64 [k] and k masks of an image by its position; what is wrong goes to the
            findings. May be called from several threads at once.
        listed: bool [images], whether there is a prediction.
        disjoint: whether masks of an image cannot overlap, as those of a PNG cannot.
        place: says what a mask of an image is, by the positions of both.
        path: the file or folder that was read.
        warnings: what the reader found that does not refuse the predictions.
    """

    images: tuple[ImageRecord, ...]
    classes: Callable[[int, Findings], tuple[Int64Array, RunLengths]]
    listed: NDArray[np.bool_]
    disjoint: bool
    place: Callable[[int, int], str]
    path: Path | None = None
    warnings: Findings = field(default_factory=Findings)


def read_semantic_predictions(path: str | Path, gt: Dataset) -> SemanticPredictions:
    """Read semantic predictions for the images of `gt`: a folder of label PNGs, or a JSON list.

    A label of a PNG is the label of the ground truth's maps; where that is no set of maps, the id of a category if
    ids are 0 to K - 1, and else its place in `categories`. Where no `categories.json` lies beside a list of maps, as in
    the EntitySeg release, a label that no map has is a class too, with a warning.

    Raises:
        MissingFileError: there is no such file or folder.
        InputError: something is wrong; all problems are listed. PNGs and masks are decoded and checked when an image
            is asked for.
    """
    path = Path(path)
    require_there(path)
    return _read_maps(path, gt) if path.is_dir() else _read_list(path, gt)


def category_of_label(gt: Dataset) -> dict[int, int]:
    """Return the category id that each label of a map stands for."""
    categories = list(gt.categories)
    if _has_open_labels(gt):
        return {category.id: category.id for category in categories}
    if gt.path is not None and gt.path.suffix.lower() == ".txt":
        # A list of semantic maps: its labels are those of the maps, which the dataset does not keep.
        beside = gt.path.with_name(CATEGORIES_NAME)
        findings = Findings(str(beside))
        categories = read_categories(parse_json_file(beside).get("categories"), findings)
        findings.raise_errors()
    return labels_of(categories, Findings())


def _has_open_labels(gt: Dataset) -> bool:
    """Return whether the ground truth is a list of maps that says nowhere which labels there are."""
    is_list = gt.path is not None and gt.path.suffix.lower() == ".txt"
    return is_list and gt.path is not None and not gt.path.with_name(CATEGORIES_NAME).is_file()


def _read_maps(folder: Path, gt: Dataset) -> SemanticPredictions:
    findings = Findings(str(folder))
    pngs = maps_by_stem(folder, findings)
    for file in pngs.values():
        if not file.is_file():
            message, remedy = (
                "this is a folder, a pipe or a link to nothing",
                "Take it away, or write the map.",
            )
            findings.add("map.file", message, remedy, file=str(file))
    files = _maps_of(gt.images, pngs, findings)
    findings.raise_errors()
    maps = _Maps(tuple(gt.images), files, category_of_label(gt), _has_open_labels(gt))
    return SemanticPredictions(
        images=gt.images,
        classes=maps.classes,
        listed=np.array([file is not None for file in files], bool),
        disjoint=True,
        place=lambda index, row: f"mask {row}",
        path=folder,
    )


def _maps_of(
    images: tuple[ImageRecord, ...], pngs: Mapping[str, Path], findings: Findings
) -> list[Path | None]:
    """Return the map of each image: that of its file's stem, else that of its id; one without image is a finding."""
    stems = [PurePosixPath(image.file_name).stem for image in images]
    number = Counter(stems)
    files = [pngs.get(stem) if number[stem] == 1 else None for stem in stems]
    used = set(files)
    for index, image in enumerate(images):
        by_id = pngs.get(str(image.id))
        if files[index] is None and by_id not in used:
            files[index] = by_id
    used.update(files)
    for file in pngs.values():
        if file not in used:
            message = "no image has this map's name as its file name or id"
            remedy = "Name maps by the image: `<stem of file_name>.png` or `<image_id>.png`."
            findings.add("image.unknown", message, remedy, file=str(file))
    if not pngs:
        message = "the folder has no PNG"
        findings.add("file.missing", message, "Give the folder that holds the label maps themselves.")
    return files


@dataclass(frozen=True)
class _Maps:
    """Reads an image's map."""

    images: tuple[ImageRecord, ...]
    files: list[Path | None]
    categories: Mapping[int, int]
    any_label: bool

    def classes(self, index: int, findings: Findings) -> tuple[Int64Array, RunLengths]:
        """Return category ids and masks; nothing where there is no map, or one that cannot be read."""
        image, file = self.images[index], self.files[index]
        nothing = np.empty(0, np.int64), RunLengths.empty(image.size)
        if file is None:
            return nothing
        record = f"image {image.id}"
        try:
            refuse_colour(file)
            labels, masks = from_panoptic_png(file, size=image.size, background=None)
        except InputError as error:
            for finding in located(error, file, record):
                findings.append(finding)
            return nothing
        keep = ~np.isin(labels, [label for label in IGNORE.values() if label not in self.categories])
        labels, masks = labels[keep], masks[keep]
        unknown = [label for label in labels.tolist() if label not in self.categories]
        if self.any_label:
            for label in unknown:
                add_unseen_label(findings, label, record, str(file))
            return labels.astype(np.int64), masks
        for label in unknown:
            message = f"the map has a label that no category has; there are {len(self.categories)} labels"
            remedy = "Write labels 0 to K - 1, and 255 (65535 in 16 bits) where nothing is predicted."
            findings.add("label.unknown", message, remedy, file=str(file), record=record, value=label)
        if unknown:
            return nothing
        return np.array([self.categories[label] for label in labels.tolist()], np.int64), masks


def _read_list(path: Path, gt: Dataset) -> SemanticPredictions:
    parsed = parse_json_file(path)
    if isinstance(parsed, list) and any(isinstance(one, dict) and "file_name" in one for one in parsed):
        findings = Findings(str(path))
        named = _with_image_ids(parsed, gt.images, findings)
        findings.raise_errors()
        records = coco_slow.read_records(named, gt.images, gt.index_of, _WANTED, findings)
        predictions = from_records(records, gt, path, findings, any_category=_has_open_labels(gt))
    else:
        predictions = read_rle_records(path, gt, any_category=_has_open_labels(gt))
    _refuse_repeated(predictions)

    def classes(index: int, findings: Findings) -> tuple[Int64Array, RunLengths]:
        ids = predictions.category_ids[predictions.rows(index)]
        masks = checked_masks(predictions.source, index, findings)
        return ids, RunLengths.empty(predictions.images[index].size, len(ids)) if masks is None else masks

    return SemanticPredictions(
        images=gt.images,
        classes=classes,
        listed=predictions.listed,
        disjoint=False,
        place=lambda index, row: place_of(predictions, index)(row),
        path=path,
        warnings=predictions.warnings,
    )


def _with_image_ids(records: list[Any], images: tuple[ImageRecord, ...], findings: Findings) -> list[Any]:
    """Return the records with the id of the image that each one names; what names none is a finding."""
    stems = [PurePosixPath(image.file_name).stem for image in images]
    number = Counter(stems)
    ids: dict[str, Any] = {
        stem: image.id for stem, image in zip(stems, images, strict=True) if number[stem] == 1
    }
    exact = {image.file_name: image.id for image in images}
    result = []
    for position, record in enumerate(records):
        name = record.get("file_name") if isinstance(record, dict) else None
        if name is None:
            result.append(record)  # The reader of the records says what is wrong.
            continue
        # detectron2 writes the path of the image on the machine that ran the model.
        found = exact.get(name, ids.get(PurePosixPath(name).stem)) if isinstance(name, str) else None
        if found is None:
            message = "no image has this file name, or several have"
            remedy = "Write `file_name` as the ground truth has it, or `image_id`."
            place = f"predictions[{position}]"
            findings.add("image.unknown", message, remedy, record=place, field="file_name", value=name)
        result.append({**record, "image_id": found})
    return result


def _refuse_repeated(predictions: Predictions) -> None:
    findings = Findings(None if predictions.path is None else str(predictions.path))
    for index, image in enumerate(predictions.images):
        ids = predictions.category_ids[predictions.rows(index)].tolist()
        if len(set(ids)) == len(ids):
            continue
        first: dict[int, int] = {}
        for row, category in enumerate(ids):
            if first.setdefault(category, row) != row:
                place = place_of(predictions, index)
                message = f"{place(first[category])} has this class in image {image.id} too"
                remedy = "Write one mask a class and image."
                findings.add(
                    "class.duplicate", message, remedy, record=place(row), field="category_id", value=category
                )
    findings.raise_errors()


def write_semantic_map(path: str | Path, masks: RunLengths, category_ids: Int64Array, gt: Dataset) -> None:
    """Write the label PNG of an image: 8 bits for up to 255 labels, else 16; equal input gives equal bytes.

    Args:
        path: the PNG.
        masks: k masks that do not overlap.
        category_ids: int64 [k].
        gt: the ground truth, which says what labels there are; see `read_semantic_predictions`.

    Raises:
        InputError: masks overlap, or a category is not in the list.
    """
    from PIL import Image

    label_of = {category: label for label, category in category_of_label(gt).items()}
    for category in category_ids.tolist():
        if category not in label_of:
            message, remedy = "no category has this id", "Use the ids of the ground truth's categories."
            raise InputError(
                Finding("category.unknown", message, remedy, file=str(path), value=str(category))
            )
    kind = np.uint8 if max(label_of.values(), default=0) < IGNORE[1] else np.uint16
    labels = np.array([label_of[category] for category in category_ids.tolist()], np.int64)
    pixels = to_id_map(masks, labels, kind, background=IGNORE[np.dtype(kind).itemsize])
    with atomic_file(path) as out:
        Image.fromarray(pixels).save(out, format="PNG")
