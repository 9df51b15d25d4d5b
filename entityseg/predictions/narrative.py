"""Predictions for narratives: `[{narrative_idx, image_id, phrases}]`.

A phrase is `{phrase_idx | null, text, char_span: [s, e] | null, segmentation: RLE | null, score?}`.

`narrative_idx` is the position in the JSON of narratives, as images have several. With given phrases, `phrase_idx` is
the position in the narrative's `segments`; end to end it is null, and `text` says which phrase of the caption is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from entityseg.data.grounding.png import NarrativeRecord, NarrativeTruth
from entityseg.data.json_file import is_integer
from entityseg.errors import Findings
from entityseg.files import write_json
from entityseg.masks.coco import to_coco
from entityseg.masks.runlengths import RunLengths
from entityseg.predictions.grounded import (
    NO_MASK,
    MaskCollector,
    PlacedSource,
    Record,
    check_masks,
    read_list,
)

InputMode = Literal["given-phrases", "end-to-end"]
NEEDED = ("narrative_idx", "image_id", "phrases")
PHRASE_NEEDED = ("phrase_idx", "text", "char_span", "segmentation")


@dataclass(frozen=True, slots=True)
class PredictedPhrase:
    """A phrase with its mask.

    Attributes:
        phrase_idx: position in the narrative's segments; None end to end.
        text: the phrase.
        span: where it stands in the caption (first character, one behind the last), if it is said.
        row: row among the masks of the narrative's image; -1 for none.
    """

    phrase_idx: int | None
    text: str
    span: tuple[int, int] | None
    row: int


@dataclass(frozen=True)
class NarrativePredictions:
    """The phrases of each narrative of a ground truth, None where there is no record.

    Attributes:
        phrases: by narrative, in the order of the file.
        input_mode: whether the model was given the phrases or found them.
        source: the masks, by the position of the image among those with narratives.
        path: the file.
    """

    phrases: tuple[tuple[PredictedPhrase, ...] | None, ...]
    input_mode: InputMode
    source: PlacedSource
    path: Path | None = None


def read_narrative(
    path: str | Path, gt: NarrativeTruth, input_mode: InputMode = "given-phrases"
) -> NarrativePredictions:
    """Read predictions for the narratives of `gt`; masks are decoded when they are scored.

    Raises:
        MissingFileError: there is no such file.
        InputError: a record is malformed, of an unknown narrative or phrase, or a second one; all problems are listed.
    """
    path = Path(path)
    findings = Findings(str(path))
    masks = MaskCollector(gt.sizes, str(path))
    phrases: list[tuple[PredictedPhrase, ...] | None] = [None] * len(gt.narratives)
    first: dict[int, int] = {}
    for position, value in enumerate(read_list(path)):
        record = Record(value, f"predictions[{position}]", findings)
        if not record.keys(NEEDED):
            continue
        index, image_id = record.identifier("narrative_idx"), record.identifier("image_id", strings=True)
        if index is None or image_id is None:
            continue
        if not 0 <= index < len(gt.narratives):
            message = f"the ground truth has {len(gt.narratives)} narratives, numbered from 0"
            remedy = "Give the position in the JSON of narratives."
            record.add("narrative.unknown", message, remedy, "narrative_idx", index)
            continue
        if first.setdefault(index, position) != position:
            message = f"the narrative has predictions[{first[index]}] too"
            record.add(
                "narrative.duplicate", message, "Write one record a narrative.", "narrative_idx", index
            )
            continue
        narrative = gt.narratives[index]
        if image_id != narrative.image_id:
            message = f"the narrative belongs to image {narrative.image_id}"
            record.add("image.other", message, "Check that ids and masks go together.", "image_id", image_id)
            continue
        if not isinstance(value["phrases"], list):
            record.add(
                "json.shape", "phrases must be a list", "Write a list, [] if there is none.", "phrases"
            )
            continue
        reader = _Phrases(narrative, input_mode, masks, gt.group_of[index], findings)
        read = (reader.read(one, f"{record.place}.phrases[{k}]") for k, one in enumerate(value["phrases"]))
        phrases[index] = tuple(one for one in read if one is not None)
    source = masks.source()
    if findings.errors:
        check_masks(source, findings)
    findings.raise_errors()
    return NarrativePredictions(tuple(phrases), input_mode, source, path)


class _Phrases:
    """Reads the phrases of one record."""

    def __init__(
        self,
        narrative: NarrativeRecord,
        input_mode: InputMode,
        masks: MaskCollector,
        group: int,
        findings: Findings,
    ) -> None:
        self.narrative = narrative
        self.given = input_mode == "given-phrases"
        self.masks = masks
        self.group = group
        self.findings = findings
        self.seen: set[int] = set()

    def read(self, value: Any, place: str) -> PredictedPhrase | None:
        """Return a phrase, None (with findings) if something is wrong."""
        record = Record(value, place, self.findings)
        if not record.keys(PHRASE_NEEDED, ("score",)):
            return None
        text = record.text("text")
        record.score()
        phrase_idx = self._index(record)
        span = self._span(record)
        counts = record.mask(self.masks.sizes[self.group])
        if not record.fine or text is None:
            return None
        row = NO_MASK if counts is None else self.masks.add(self.group, counts, place)
        return PredictedPhrase(phrase_idx, text, span, row)

    def _index(self, record: Record) -> int | None:
        value = record.value["phrase_idx"]
        number = self.narrative.n_segments
        if not self.given:
            if value is not None:
                message = "end to end, a model is not told which phrases there are"
                remedy = "Write null, or score with given phrases (--input given-phrases)."
                record.add("phrase.given", message, remedy, "phrase_idx", value)
            return None
        if not is_integer(value) or not 0 <= value < number:
            message = f"phrase_idx must be a position among the narrative's {number} segments"
            remedy = "Count from 0; for a model that finds phrases by itself, score with --input end-to-end."
            record.add("phrase.unknown", message, remedy, "phrase_idx", value)
            return None
        if value in self.seen:
            message = "the narrative has another phrase with this phrase_idx"
            record.add("phrase.duplicate", message, "Write one mask a phrase.", "phrase_idx", value)
        self.seen.add(value)
        return value

    def _span(self, record: Record) -> tuple[int, int] | None:
        value = record.value["char_span"]
        if value is None:
            return None
        length = len(self.narrative.caption)
        is_pair = isinstance(value, list) and len(value) == 2 and all(is_integer(one) for one in value)
        if is_pair and 0 <= value[0] < value[1] <= length:
            return value[0], value[1]
        message = (
            f"char_span must be [first, one behind the last] in the caption of {length} characters, or null"
        )
        record.add("span.value", message, "Write null if it is not known.", "char_span", value)
        return None


def write_narrative(
    path: str | Path,
    predictions: Iterable[tuple[int, int | str, Iterable[Mapping[str, Any]]]],
) -> None:
    """Write predictions.

    Args:
        path: the file.
        predictions: (narrative_idx, image id, phrases) for each narrative; a phrase is a mapping with `text`, `mask`
            (one mask, `RunLengths`, or None) and, where they are known, `phrase_idx`, `char_span` and `score`.
    """
    records = []
    for narrative_idx, image_id, phrases in predictions:
        written = []
        for phrase in phrases:
            mask: RunLengths | None = phrase["mask"]
            span = phrase.get("char_span")
            record = {
                "phrase_idx": phrase.get("phrase_idx"),
                "text": phrase["text"],
                "char_span": None if span is None else list(span),
                "segmentation": None if mask is None else to_coco(mask)[0],
            }
            written.append(record | ({"score": phrase["score"]} if "score" in phrase else {}))
        records.append({"narrative_idx": narrative_idx, "image_id": image_id, "phrases": written})
    write_json(path, records)
