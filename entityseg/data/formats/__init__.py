"""The dataset formats, one file each; a format is imported when it is first asked for."""

from __future__ import annotations

import importlib

from entityseg.data.formats.base import Format, Holds, Reading
from entityseg.errors import usage_error

__all__ = ["FORMATS", "Format", "Holds", "Reading", "get_format"]

# Name of the format -> module with its `FORMAT`.
FORMATS = {
    "entity": "entityseg.data.formats.entity",
    "entityseg-release": "entityseg.data.formats.release",
    "coco-instances": "entityseg.data.formats.coco_instances",
    "coco-panoptic": "entityseg.data.formats.coco_panoptic",
    "semantic": "entityseg.data.formats.semantic",
    "idmap": "entityseg.data.formats.idmap",
    "parquet": "entityseg.data.formats.parquet",
}


def get_format(name: str) -> Format:
    """Return a format by its name.

    Raises:
        UsageError: there is no such format; the known ones are listed.
    """
    if name not in FORMATS:
        remedy = f"Use one of {', '.join(FORMATS)}."
        raise usage_error("format.unknown", "no dataset format has this name", remedy, value=name)
    found: Format = importlib.import_module(FORMATS[name]).FORMAT
    return found
