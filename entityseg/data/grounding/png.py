"""Panoptic Narrative Grounding (Gonzalez et al., ICCV 2021): `png_coco_*.json` with COCO's panoptic JSON and PNGs.

A narrative is a caption cut into segments (utterances); a *phrase* is an utterance that is a noun and names panoptic
segments of the image. Utterances without such segments are not scored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from entityseg.data.formats import coco_panoptic
from entityseg.data.json_file import is_integer, parse_json_file, require_type
from entityseg.data.records import Dataset, ImageId
from entityseg.errors import Findings, MissingFileError
from entityseg.masks.runlengths import Size

Span = tuple[int, int]
# Longer ids than any, and all of them fit 64 bits.
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Phrase:
    """An utterance that names panoptic segments.

    Attributes:
        index: its position in the narrative's `segments`, the `phrase_idx` of predictions.
        text: the utterance.
        segment_ids: the segments that it means, in the order of the file.
        noun: whether it is a noun; only nouns are scored.
        plural: the file's flag, which says nothing in the canonical figures.
        span: where it stands in the caption (first character, one behind the last); None where it was not found.
    """

    index: int
    text: str
    segment_ids: tuple[int, ...]
    noun: bool
    plural: bool
    span: Span | None


@dataclass(frozen=True, slots=True)
class NarrativeRecord:
    """A caption of an image.

    Attributes:
        image_id: the panoptic image.
        caption: the text.
        n_segments: utterances.
        phrases: the utterances with segments, nouns or not.
    """

    image_id: ImageId
    caption: str
    n_segments: int
    phrases: tuple[Phrase, ...]

    @property
    def nouns(self) -> tuple[Phrase, ...]:
        """The phrases that are scored."""
        return tuple(phrase for phrase in self.phrases if phrase.noun)


@dataclass(frozen=True)
class NarrativeTruth:
    """Narratives and the panoptic dataset of their images.

    Attributes:
        narratives: in the order of the file; their index is `narrative_idx`.
        panoptic: images, segments and categories.
        path: the JSON of narratives.
        warnings: what the reader found that does not refuse the data.
    """

    narratives: tuple[NarrativeRecord, ...]
    panoptic: Dataset
    path: Path
    warnings: Findings = field(default_factory=Findings)

    @cached_property
    def image_ids(self) -> tuple[ImageId, ...]:
        """The images that have narratives, in the order of their first one."""
        return tuple(dict.fromkeys(one.image_id for one in self.narratives))

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """(height, width) of each of these images."""
        panoptic = self.panoptic
        return tuple(panoptic.images[panoptic.index_of[image_id]].size for image_id in self.image_ids)

    @cached_property
    def group_of(self) -> tuple[int, ...]:
        """Position of each narrative's image among these images."""
        position = {image_id: i for i, image_id in enumerate(self.image_ids)}
        return tuple(position[one.image_id] for one in self.narratives)

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The narratives of each of these images."""
        result: list[list[int]] = [[] for _ in self.image_ids]
        for index, group in enumerate(self.group_of):
            result[group].append(index)
        return tuple(map(tuple, result))


def find_panoptic(path: Path) -> Path:
    """Return the panoptic JSON that belongs to a JSON of narratives: `panoptic_val2017.json` beside it.

    Raises:
        MissingFileError: it is not there.
    """
    split = path.stem.removeprefix("png_coco_")
    panoptic = path.parent / f"panoptic_{split}.json"
    if panoptic.exists():
        return panoptic
    message = "there is no such file"
    remedy = "Name COCO's panoptic JSON (--panoptic), or put it beside the narratives."
    findings = Findings(str(panoptic))
    findings.add("file.missing", message, remedy)
    raise MissingFileError(findings)


def read_png(
    path: str | Path, panoptic: str | Path | None = None, *, pngs: str | Path | None = None
) -> NarrativeTruth:
    """Read narratives with their panoptic ground truth.

    Args:
        path: `png_coco_val2017.json`.
        panoptic: COCO's panoptic JSON; by default `panoptic_val2017.json` beside the narratives.
        pngs: folder of the PNGs; by default where COCO has them, or `panoptic_segmentation/val2017`.

    Raises:
        MissingFileError: a file or the folder is not there.
        InputError: a narrative is wrong, or names an image or a segment that is not there; all problems are listed.
    """
    path = Path(path)
    records = require_type(parse_json_file(path), list, "the narratives", str(path))
    masks = Path(panoptic) if panoptic is not None else find_panoptic(path)
    if pngs is None:
        own = masks.parent / "panoptic_segmentation" / coco_panoptic.split_name(masks)
        pngs = own if own.is_dir() else None
    dataset = coco_panoptic.read(masks, png_root=None if pngs is None else Path(pngs))
    findings = Findings(str(path))
    findings.extend(dataset.warnings)
    found = [_narrative(record, f"narratives[{i}]", dataset, findings) for i, record in enumerate(records)]
    findings.raise_errors()
    return NarrativeTruth(tuple(one for one in found if one is not None), dataset, path, findings)


def _narrative(record: Any, place: str, panoptic: Dataset, findings: Findings) -> NarrativeRecord | None:
    """Return a narrative, None (with findings) if something is wrong."""

    def add(kind: str, message: str, remedy: str, key: str, value: object = None, where: str = place) -> None:
        findings.add(kind, message, remedy, record=where, field=key, value=value)

    remedy = "Check that this is png_coco_*.json."
    if not isinstance(record, dict):
        findings.add(
            "record.type", "the narrative must be an object {...}", remedy, record=place, value=record
        )
        return None
    before = findings.errors
    image_id: Any = record.get("image_id")
    caption: Any = record.get("caption")
    segments: Any = record.get("segments")
    if isinstance(image_id, str) and image_id not in panoptic.index_of:
        image_id = _number(image_id)
    if not (isinstance(image_id, str) or is_integer(image_id)) or image_id not in panoptic.index_of:
        message = "the panoptic JSON has no such image"
        given_id = record.get("image_id")
        add("image.unknown", message, "Use the panoptic JSON of the same split.", "image_id", given_id)
    if not isinstance(caption, str):
        add("text.type", "caption must be a string", remedy, "caption", caption)
    if not isinstance(segments, list):
        add("json.shape", "segments must be a list", remedy, "segments", segments)
    if findings.errors > before:
        return None
    rows = panoptic.rows(panoptic.index_of[image_id])
    known = set(panoptic.ids[rows].tolist())
    phrases: list[Phrase] = []
    at = 0
    for k, segment in enumerate(segments):
        where = f"{place}.segments[{k}]"
        text = segment.get("utterance") if isinstance(segment, dict) else None
        given = segment.get("segment_ids") if isinstance(segment, dict) else None
        if not isinstance(text, str) or not isinstance(given, list):
            add(
                "record.type",
                "a segment needs a string utterance and a list segment_ids",
                remedy,
                "",
                None,
                where,
            )
            continue
        start = caption.find(text, at) if text else -1
        span = None if start < 0 else (start, start + len(text))
        at = at if span is None else span[1]
        ids = [_number(one) for one in given]
        for one, value in zip(given, ids, strict=True):
            if value not in known:
                message = f"image {image_id} has no such segment in the panoptic JSON"
                add(
                    "segment.unknown",
                    message,
                    "Use the panoptic JSON of the same split.",
                    "segment_ids",
                    one,
                    where,
                )
        noun, plural = segment.get("noun"), segment.get("plural")
        for key, flag in (("noun", noun), ("plural", plural)):
            if flag not in (0, 1) or isinstance(flag, float):
                add("flag.type", f"{key} must be true or false", remedy, key, flag, where)
        if ids:
            unique = tuple(dict.fromkeys(one for one in ids if one is not None))
            phrases.append(Phrase(k, text, unique, bool(noun), bool(plural), span))
    return (
        NarrativeRecord(image_id, caption, len(segments), tuple(phrases))
        if findings.errors == before
        else None
    )


def _number(value: Any) -> int | None:
    """Return an id that is a number, or the text of one; else None."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS:
        return int(value)
    return value if is_integer(value) else None
