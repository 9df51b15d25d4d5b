"""Finding out which format a predictions file has, and reading it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from entityseg.data.json_file import require_there
from entityseg.data.records import Dataset
from entityseg.errors import usage_error
from entityseg.predictions.records import Predictions

PredictionFormat = Literal["coco", "jsonl", "idmap"]
FORMATS: tuple[PredictionFormat, ...] = get_args(PredictionFormat)
_HEAD = 1 << 16
_BOM = b"\xef\xbb\xbf"


def read_predictions(
    path: str | Path,
    gt: Dataset | None,
    *,
    format: PredictionFormat | None = None,
    box_areas: bool = False,
) -> Predictions:
    """Read class-agnostic predictions: COCO results, JSONL, or a folder of id maps.

    Args:
        path: a file or a folder; its content decides on the format, not its name.
        gt: the ground truth, which says what images there are and their sizes. Without it (None) the images are
            those that the predictions name, in their order.
        format: the format, where it shall not be found out.
        box_areas: read the `bbox` of COCO results too; for scoring as pycocotools does, only.

    Returns:
        The predictions. Masks are decoded and checked when an image is asked for; `entityseg.predictions.check`
        checks them all.

    Raises:
        MissingFileError: there is no such file.
        InputError: the file is of no known format, or a record is wrong; all problems are listed.
        UsageError: there is no such format.
    """
    path = Path(path)
    name = find_format(path) if format is None else format
    if name == "jsonl":
        from entityseg.predictions.jsonl import read_jsonl

        return read_jsonl(path, gt)
    if name == "idmap":
        from entityseg.predictions.idmap import read_id_maps

        return read_id_maps(path, gt)
    if name == "coco":
        from entityseg.predictions.coco_results import read_coco_results

        if gt is None:
            from entityseg.predictions.images import images_in_results

            gt = images_in_results(path)
        return read_coco_results(path, gt, box_areas=box_areas)
    raise unknown_format(name)


def find_format(path: str | Path) -> PredictionFormat:
    """Tell the format of predictions from what is there.

    A folder holds id maps. A JSON list, or one object with `annotations`, is COCO results. Anything else is JSONL,
    whose reader says what is wrong with it.

    Raises:
        MissingFileError: there is no such file or folder.
    """
    path = Path(path)
    if path.is_dir():
        return "idmap"
    require_there(path)
    if path.name == "scores.json":
        return "idmap"
    with open(path, "rb") as file:
        head = file.read(_HEAD).removeprefix(_BOM).lstrip()
    if head[:1] != b"{":
        # A broken file is told apart by its name: the messages of the right reader help more.
        return "jsonl" if path.suffix.lower() in (".jsonl", ".ndjson") and head[:1] != b"[" else "coco"
    first_line = head.partition(b"\n")[0]
    is_coco = path.suffix.lower() == ".json" and b'"segments"' not in head
    return "coco" if is_coco or b'"annotations"' in first_line else "jsonl"


def unknown_format(name: str) -> Exception:
    """Return the error for a format that there is not."""
    message = "there is no such format of predictions"
    return usage_error("format.unknown", message, f"Use one of {', '.join(FORMATS)}.", value=name)
