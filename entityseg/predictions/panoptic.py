"""Panoptic predictions: COCO panoptic JSON with its PNGs, or a COCO-style list with RLE masks.

The JSON needs `annotations` only, each `{image_id, file_name, segments_info: [{id, category_id}]}`; a pixel of the
PNG is R + 256 G + 65,536 B, and 0 is void. The list is `[{image_id, category_id, segmentation}]`, one record a
segment.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from entityseg.data.coco_write import dumps, write_list
from entityseg.data.formats import _png_files as png
from entityseg.data.formats._panoptic_records import read_segments
from entityseg.data.formats._png_source import PngSource
from entityseg.data.formats.coco_panoptic import FILE_NAME, FOLDER_NAME, png_folders
from entityseg.data.json_file import require_there, require_type
from entityseg.data.json_lists import parse_lists
from entityseg.data.peek import peek
from entityseg.data.records import Dataset
from entityseg.errors import Finding, Findings, InputError, usage_error
from entityseg.files import atomic_file
from entityseg.masks import to_panoptic_png
from entityseg.predictions.records import Predictions
from entityseg.predictions.rle_records import read_rle_records


def read_panoptic_predictions(
    path: str | Path, gt: Dataset, *, png_root: str | Path | None = None
) -> Predictions:
    """Read panoptic predictions for the images of `gt`.

    Args:
        path: a panoptic JSON, the folder of one (`panoptic.json`, or its only JSON), or a list with RLE masks.
        gt: the ground truth, which says what images and categories there are.
        png_root: folder of the PNGs; by default the folder of the JSON's name beside it.

    Returns:
        The predictions; each score is 1, as segments have none. PNGs and masks are decoded and checked when an image
        is asked for.

    Raises:
        MissingFileError: there is no such file, or no folder with its PNGs.
        InputError: a record is wrong; all problems are listed.
        UsageError: a folder of PNGs is given for RLE masks.
    """
    file = _json_of(Path(path))
    if peek(file) in ("list", "instances"):
        if png_root is not None:
            message, remedy = "RLE masks need no folder of PNGs", "Leave it out (`--png-root`)."
            raise usage_error("panoptic.png_root", message, remedy, file=str(file), value=str(png_root))
        return read_rle_records(file, gt)
    top = require_type(parse_lists(file, ("annotations",)), dict, "the file", str(file))
    findings = Findings(str(file))
    segments = read_segments(top.get("annotations"), gt.images, gt.categories, findings)
    findings.raise_errors()
    names = [name for name in segments.names if name is not None]
    folders = png_folders(file) if png_root is None else [Path(png_root)]
    root = png.find_root(folders, names)
    if root is None and names:
        raise png.missing_folder("panoptic JSON", file, folders)
    warnings = Findings(str(file))
    if root is not None:
        png.add_strangers(warnings, [root], {png.find_png(root, name) for name in names})
    return Predictions(
        images=gt.images,
        offsets=segments.offsets,
        scores=np.ones(len(segments.ids)),
        category_ids=segments.category_ids,
        source=PngSource(
            json=str(file),
            list_name="segments_info",
            root=root or folders[0],
            images=gt.images,
            names=segments.names,
            records=segments.records,
            offsets=segments.offsets,
            values=segments.ids,
            kept=segments.extras,
        ),
        listed=np.array([name is not None for name in segments.names], bool),
        path=file,
        warnings=warnings,
    )


def write_panoptic_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write a folder with `panoptic/*.png` and, last, `panoptic.json`; images without a word on them are left out.

    Segments of an image are numbered from 1 in the order of its rows; equal predictions give equal bytes.

    Raises:
        InputError: segments overlap, or one has no pixel.
    """
    folder = Path(path)
    (folder / FOLDER_NAME).mkdir(parents=True, exist_ok=True)
    # A JSON beside PNGs says that they are whole.
    (folder / FILE_NAME).unlink(missing_ok=True)
    names = png.written_names(predictions.images)
    lines = []
    for index in np.flatnonzero(predictions.listed).tolist():
        masks = predictions.masks(index)
        for row in np.flatnonzero(masks.areas == 0).tolist():
            message, remedy = "a segment needs a pixel", "Leave it out."
            place = f"image {predictions.images[index].id}, mask {row}"
            raise InputError(Finding("mask.empty", message, remedy, record=place))
        target = folder / FOLDER_NAME / names[index]
        target.parent.mkdir(parents=True, exist_ok=True)
        to_panoptic_png(target, masks, np.arange(1, len(masks) + 1))
        categories = predictions.category_ids[predictions.rows(index)].tolist()
        segments = [{"id": k, "category_id": category} for k, category in enumerate(categories, 1)]
        record = {
            "image_id": predictions.images[index].id,
            "file_name": names[index],
            "segments_info": segments,
        }
        lines.append([dumps(record)])
    with atomic_file(folder / FILE_NAME) as out:
        out.write(b"{")
        write_list(out, "annotations", iter(lines))
        out.write(b"}\n")


def _json_of(path: Path) -> Path:
    """Return the JSON file: the path itself, or that of a folder."""
    require_there(path)
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.json"))
    if (path / FILE_NAME) in found or len(found) == 1:
        return path / FILE_NAME if (path / FILE_NAME) in found else found[0]
    message = f"the folder has {len(found)} JSON files, and none is {FILE_NAME}"
    raise InputError(Finding("file.ambiguous", message, "Give the file itself.", file=str(path)))
