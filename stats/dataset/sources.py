"""Where images come from (Figure 3c): as their records say it, or a file of sources such as the release's `url.json`.

The keys are those of the release's early annotation files; how `url.json` arranges them is not documented. So any
arrangement is read that leaves no doubt which image a record is of: a list of records, an object of records by file
name or id, and objects of such lists (`{"images": [...]}`, one for each split).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from entityseg.data.json_file import is_integer, parse_json_file
from entityseg.data.records import Dataset, ImageRecord
from entityseg.errors import Findings, input_error, shown

SOURCES_FILE = "url.json"
# What names a source, the first that is there.
_SOURCE_KEYS = ("img_source", "url_dataset", "source")
_ID_KEYS = ("id", "image_id")
_RECORD_KEYS = frozenset({*_SOURCE_KEYS, *_ID_KEYS, "file_name", "url_flag", "url_image"})
# Levels of objects and lists around the records.
_DEEPEST = 3


@dataclass(frozen=True)
class Sources:
    """Sources of images, by their names.

    Attributes:
        path: the file that says so.
        by_file: by file name with folders, `/` between them; None where records disagree.
        by_name: by file name without folders; None where several images have the name and not one source.
        by_id: by the image's id as text, of records without a file name; None where records disagree.
        findings: what is wrong with the file's records, as warnings.
    """

    path: Path
    by_file: Mapping[str, str | None]
    by_name: Mapping[str, str | None]
    by_id: Mapping[str, str | None]
    findings: Findings

    def of(self, image: ImageRecord) -> str | None:
        """Return the source of an image: by its file name, else by that without folders, else by its id."""
        file = _slashes(image.file_name)
        for known, name in ((self.by_file, file), (self.by_name, _last(file)), (self.by_id, str(image.id))):
            if name in known:
                return known[name]
        return None


def source_of(image: ImageRecord) -> str | None:
    """Return where an image comes from, as its record says it.

    >>> source_of(ImageRecord(1, "a.jpg", 2, 2, {"img_source": "Pixabay"}))
    'Pixabay'
    """
    return _source_in(image.extra)


def find_sources(dataset: Dataset) -> Path | None:
    """Return the `url.json` beside a dataset's annotations or in one of the two folders above, None if none is there.

    The release has annotations up to two folders deep.
    """
    if dataset.path is None:
        return None
    folder = (dataset.path if dataset.path.is_dir() else dataset.path.parent).absolute()
    places = (one / SOURCES_FILE for one in (folder, *folder.parents[:2]))
    return next((place for place in places if place.is_file()), None)


def read_sources(path: str | Path) -> Sources:
    """Read a file of sources.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no JSON, or holds no record of an image.
    """
    path = Path(path)
    findings = Findings(str(path))
    by_file: dict[str, str | None] = {}
    by_name: dict[str, str | None] = {}
    by_id: dict[str, str | None] = {}
    count = 0
    for where, key, record in _records(parse_json_file(path), "", None, _DEEPEST):
        count += 1
        source, file, number = _source_in(record), record.get("file_name", key), _id_in(record)
        if file is None and number is None:
            message, remedy = "the record names no image", "Give it a file_name or an id."
            findings.add("sources.image", message, remedy, record=where, severity="warning")
        elif file is not None and not isinstance(file, str):
            message, remedy = "the file name is no text", "Write it as the annotations have it."
            findings.add(
                "sources.image",
                message,
                remedy,
                record=where,
                field="file_name",
                value=file,
                severity="warning",
            )
        elif source is None:
            message = f"the record has no source: none of {', '.join(_SOURCE_KEYS)} is a text"
            findings.add("sources.none", message, "Name it in one of them.", record=where, severity="warning")
        elif file is None or (key is not None and "file_name" not in record and key.isdecimal()):
            _enter(by_id, str(number) if file is None else file, source, where, findings)
        else:
            _enter(by_file, _slashes(file), source, where, findings)
    if not count:
        message = f"no record of an image is there; it has one or more of {', '.join(sorted(_RECORD_KEYS))}"
        remedy = "Write a list of records, or an object of records by file name or id."
        raise input_error("sources.layout", message, remedy, file=str(path))
    for file, source in by_file.items():
        name = _last(file)
        by_name[name] = source if by_name.get(name, source) == source else None
    return Sources(path, by_file, by_name, by_id, findings)


def with_sources(dataset: Dataset, sources: Sources) -> Dataset:
    """Return a dataset whose image records have an `img_source`; what a record says itself stays.

    Warnings of the file, and how many images it says nothing of, are added to those of the dataset.
    """
    images, unknown = [], 0
    for image in dataset.images:
        source = source_of(image) or sources.of(image)
        unknown += source is None
        known = source is None or source_of(image) is not None
        images.append(image if known else replace(image, extra={**image.extra, "img_source": source}))
    warnings = Findings()
    warnings.extend(dataset.warnings)
    warnings.extend(sources.findings)
    if unknown:
        message = f"no source is known of {unknown:,} of the {len(images):,} images"
        remedy = "They are `not said` in the table of sources."
        warnings.add("sources.unknown", message, remedy, file=str(sources.path), severity="warning")
    return replace(dataset, images=tuple(images), warnings=warnings)


def _records(
    node: Any, where: str, key: str | None, depth: int
) -> Iterator[tuple[str, str | None, Mapping[str, Any]]]:
    """Give each record with its place, and the key that it stands under in an object of records."""
    if isinstance(node, dict) and not _RECORD_KEYS.isdisjoint(node):
        yield where or "the file", key, node
    elif depth and isinstance(node, dict):
        for name, value in node.items():
            yield from _records(value, f"{where}[{shown(name)}]", name, depth - 1)
    elif depth and isinstance(node, list):
        for number, value in enumerate(node):
            yield from _records(value, f"{where}[{number}]", None, depth - 1)


def _source_in(record: Mapping[str, Any]) -> str | None:
    values = (record.get(key) for key in _SOURCE_KEYS)
    return next((value for value in values if isinstance(value, str) and value), None)


def _id_in(record: Mapping[str, Any]) -> int | str | None:
    values = (record.get(key) for key in _ID_KEYS)
    return next((value for value in values if is_integer(value) or isinstance(value, str)), None)


def _enter(known: dict[str, str | None], name: str, source: str, where: str, findings: Findings) -> None:
    if known.setdefault(name, source) != source:
        if known[name] is not None:
            message = "another record gives this image another source"
            findings.add(
                "sources.twice", message, "Leave one of them.", record=where, value=source, severity="warning"
            )
        known[name] = None


def _slashes(file_name: str) -> str:
    return file_name.replace("\\", "/")


def _last(file_name: str) -> str:
    return file_name.rpartition("/")[2]
