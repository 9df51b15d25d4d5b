"""Datasets: records, formats, converters, checks.

>>> from entityseg import data
>>> data.Category(3, "sky", isthing=False).name
'sky'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entityseg.data.check import check_masks
    from entityseg.data.conversion import convert
    from entityseg.data.doctor import Report, examine
    from entityseg.data.formats import FORMATS, Format, Reading, get_format
    from entityseg.data.images import ImageFinder, find_image
    from entityseg.data.loading import find_readings, load
    from entityseg.data.mini.write import write_mini
    from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord

# Resolved on first use, so that `import entityseg.data` reads no format and no numba.
_HOMES = {
    "AnnotatedImage": "records",
    "Category": "records",
    "Dataset": "records",
    "FORMATS": "formats",
    "Format": "formats",
    "ImageFinder": "images",
    "ImageRecord": "records",
    "Reading": "formats",
    "Report": "doctor",
    "check_masks": "check",
    "convert": "conversion",
    "examine": "doctor",
    "find_image": "images",
    "find_readings": "loading",
    "get_format": "formats",
    "load": "loading",
    "write_mini": "mini.write",
}

__all__ = [
    "FORMATS",
    "AnnotatedImage",
    "Category",
    "Dataset",
    "Format",
    "ImageFinder",
    "ImageRecord",
    "Reading",
    "Report",
    "check_masks",
    "convert",
    "examine",
    "find_image",
    "find_readings",
    "get_format",
    "load",
    "write_mini",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'entityseg.data' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"entityseg.data.{_HOMES[name]}"), name)
    # The import has put a submodule of the same name (`convert`) here.
    globals()[name] = value
    return value
