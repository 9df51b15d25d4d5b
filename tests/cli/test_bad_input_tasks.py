"""Hostile input of every task, ground truth and predictions, through the command line.

Every problem is named by kind, place and field, with exit code 1 (2 for usage), and never as an internal error.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import random
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from entityseg.cli.main import run
from tests.cli.task_files import (
    FULL,
    LEFT,
    RLE_FULL,
    SIZE,
    TASKS,
    chunk,
    grey,
    png,
    rgb,
    write,
)

Json = Any
# Of an error: its kind, record and field.
Error = tuple[str, str | None, str | None]


class Scorer:
    """Writes the files of a task, some of them changed, into a folder of their own, and scores them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.number = 0

    def call(self, arguments: Sequence[str]) -> tuple[int, Json]:
        """Return the exit code of a command and its JSON object; nothing is written, and no error is internal."""
        before = set(self.folder.rglob("*"))
        code = run([*arguments, "--json"])
        shown = self.capsys.readouterr()
        assert code in (0, 1, 2), shown.err
        assert "Traceback" not in shown.err
        assert set(self.folder.rglob("*")) == before
        return code, json.loads(shown.out)

    def score(self, task: str, **options: Json) -> tuple[int, Json]:
        """Score a task; `changes` are other contents of files, `more` are more arguments."""
        self.number += 1
        arguments = TASKS[task].write(self.folder / str(self.number), options.get("changes"))
        return self.call([*arguments, *options.get("more", ())])

    def errors(self, task: str, changes: dict[str, Json], *more: str, code: int = 1) -> list[Error]:
        """Return the errors of files that must be refused, each with a message, a remedy and a file."""
        got, value = self.score(task, changes=changes, more=more)
        assert got == code, value
        return complete(value)


def complete(value: Json) -> list[Error]:
    """Return the errors of a refusal; each must say file, message and remedy."""
    found = [one for one in value["findings"] if one["severity"] == "error"]
    assert found
    for one in found:
        assert one["message"]
        assert one["file"]
        # A remedy may end with a list.
        assert one["remedy"].rstrip().endswith((".", ")")) or "\n" in one["remedy"]
    return [(one["kind"], one.get("record"), one.get("field")) for one in found]


@pytest.fixture
def scorer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Scorer:
    return Scorer(tmp_path, capsys)


def changed(task: str, file: str, path: Sequence[str | int], new: Json) -> dict[str, Json]:
    """Return the changes that put another value (`...`: none) at a path of keys of a JSON file."""
    # A deep copy would keep lists that stand twice one and the same.
    value = json.loads(json.dumps(TASKS[task].files[file]))
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    if not path:
        value = new
    elif new is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return {file: value}


@pytest.mark.parametrize("task", TASKS)
def test_what_is_right_is_scored(task: str, scorer: Scorer) -> None:
    code, value = scorer.score(task)
    assert code == 0
    counts = value["counts"]
    assert (counts["expected"], counts["predicted"], counts["missing"]) == (
        TASKS[task].units,
        TASKS[task].units,
        0,
    )
    assert value["warnings"]["findings"] == []


def spoiled(text: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield what a JSON file may hold instead, and the kinds of its error."""
    yield b"", "file.empty|load.nothing"
    yield text[: len(text) // 2], "json.invalid"
    yield text[:-1], "json.invalid"
    yield text + b"]", "json.invalid"
    yield gzip.compress(text), "json.utf8"
    yield text.decode().encode("utf-16"), "json.utf8"
    yield text.replace(b'"', b'"\xe9', 1), "json.utf8"
    yield b"[" * 100_000, "json.deep|load.nothing"
    yield b"5", "json.shape|record.type|load.nothing"
    yield b"null", "json.shape|record.type|load.nothing"


JSON_FILES = [(task, file) for task, one in TASKS.items() for file in one.files if file.endswith(".json")]
# Tasks that differ in their options only read their files with the same code.
TWINS = {"boundary", "boundary-classes", "narrative-end", "uvo", "stq"}


@pytest.mark.parametrize(("task", "file"), [one for one in JSON_FILES if one[0] not in TWINS])
def test_a_json_file_that_is_none_is_named(task: str, file: str, scorer: Scorer) -> None:
    text = json.dumps(TASKS[task].files[file]).encode()
    for data, kinds in spoiled(text):
        code, value = scorer.score(task, changes={file: data})
        found = complete(value)
        assert len(found) == 1
        # ReasonSeg is read as Windows' cp1252, too.
        assert found[0][0] in kinds.split("|") or (task, found[0][0]) == ("reasoning", "text.type"), data[:50]
        assert code == (2 if found[0][0] == "load.nothing" else 1)
        assert Path(value["findings"][0]["file"]).name == Path(file).name
    code, value = scorer.score(task, changes={file: b"\xef\xbb\xbf" + text})
    assert (code, value["warnings"]["findings"]) == (0, [])


def test_files_that_are_packed_or_of_other_kinds_are_recognised(scorer: Scorer) -> None:
    text = json.dumps(TASKS["referring"].files["pred.json"])
    for data, said in (
        (gzip.compress(text.encode()), "gzip"),
        (text.encode("utf-16"), "UTF-16"),
        (pickle.dumps([1.5]), "pickle"),
        (b"PK\x03\x04\xff\xff", "ZIP"),
    ):
        code, value = scorer.score("referring", changes={"pred.json": data})
        assert code == 1
        assert said in value["findings"][0]["remedy"]


@pytest.mark.parametrize(("task", "file"), JSON_FILES)
def test_a_file_that_is_missing_or_a_folder_or_a_pipe_is_named(task: str, file: str, scorer: Scorer) -> None:
    arguments = TASKS[task].write(scorer.folder)
    path = scorer.folder / file
    # Without it, labels are names; without one question, there is one image less.
    optional = file in ("gt/categories.json", "val/a.json", "val/b.json")
    path.unlink()
    if not optional:
        code, value = scorer.call(arguments)
        kinds = [one[0] for one in complete(value)]
        assert kinds in (["file.missing"], ["file.ambiguous"], ["load.nothing"])
        assert code in (1, 2)
    path.mkdir()
    if not file.startswith("val/"):
        code, value = scorer.call(arguments)
        kinds = ["file.folder", "file.missing", "load.nothing", "idmap.scores", "file.ambiguous", "map.none"]
        assert complete(value)[0][0] in kinds
    path.rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)
        code, value = scorer.call(arguments)
        assert [one[0] for one in complete(value)] == ["file.type"]


PNG_FILES = [
    ("semantic", "gt/maps/2.png"),
    ("semantic", "pred/2.png"),
    ("panoptic", "gt/2.png"),
    ("panoptic", "pred/2.png"),
    ("narrative", "gt/panoptic_val/2.png"),
    ("dichotomous", "gt/b.png"),
    ("dichotomous", "pred/b.png"),
    ("dichotomous", "thin/a.png"),
    ("vpq", "gt/panomasksRGB/b/f1.png"),
    ("vpq", "pred/pan_pred/b/f1.png"),
]
WHOLE = grey(0, 255)
SPOILED_PNGS = [
    (b"", "png.type"),
    (b"\xff\xd8\xff\xe0" + bytes(50), "png.type"),
    (gzip.compress(WHOLE), "png.type"),
    (WHOLE[:-20], "png.damaged"),
    (WHOLE[:45], "png.damaged"),
    (WHOLE[:45] + b"!" + WHOLE[46:], "png.damaged"),
    (png(6, 8, b"junk"), "png.damaged"),
    (png(6, 8, zlib.compress(bytes(20))), "png.damaged"),
    (png(6, 8, zlib.compress(bytes(6 * 33)), colour=6), "png.kind|map.kind"),
    (png(6, 8, zlib.compress(bytes(6 * 49)), colour=2, bits=16), "png.kind|map.kind"),
    (png(6, 8, zlib.compress(bytes(12)), bits=1), "png.kind|map.kind"),
    (png(60_000, 60_000, zlib.compress(bytes(10**6))), "png.damaged|png.size"),
    (png(0, 8, b""), "mask.size"),
]


@pytest.mark.parametrize(("task", "file"), PNG_FILES)
def test_a_png_that_is_none_is_named(task: str, file: str, scorer: Scorer) -> None:
    for data, kinds in SPOILED_PNGS:
        code, value = scorer.score(task, changes={file: data})
        assert code == 1
        assert [one[0] in kinds.split("|") for one in complete(value)] == [True], (data[:60], value)
        assert Path(value["findings"][0]["file"]).as_posix().endswith(file)


@pytest.mark.parametrize(("task", "file"), PNG_FILES)
def test_a_png_of_another_size_is_named_and_explained(task: str, file: str, scorer: Scorer) -> None:
    make = grey if task in ("semantic", "dichotomous") else rgb
    for (height, width), said in (
        ((8, 6), "swapped"),
        ((3, 4), "low-resolution"),
        ((12, 16), "high-resolution"),
    ):
        code, value = scorer.score(task, changes={file: make(0, height=height, width=width)})
        assert code == 1
        found = [one for one in value["findings"] if one["severity"] == "error"]
        assert {one["kind"] for one in found} <= {"png.size", "map.size", "mask.size"}
        if not file.startswith("gt/") or task in ("panoptic", "narrative", "vpq"):
            assert said in found[0]["message"]


def test_a_png_that_is_a_folder_or_a_pipe_is_never_opened(scorer: Scorer) -> None:
    for task, file in PNG_FILES:
        for make in (Path.mkdir, *([os.mkfifo] if hasattr(os, "mkfifo") else [])):
            scorer_folder = scorer.folder / f"{task}-{file.replace('/', '-')}-{make.__name__}"
            arguments = TASKS[task].write(scorer_folder)
            (scorer_folder / file).unlink()
            make(scorer_folder / file)
            code, value = scorer.call(arguments)
            kinds = {one[0] for one in complete(value)}
            assert code == 1
            # Without the true map, its prediction is unknown.
            assert kinds & {"png.missing", "map.file"}, (task, file, value)
            assert kinds <= {"png.missing", "map.file", "map.none", "image.unknown"}


def test_labels_in_colour_and_unknown_labels_are_named(scorer: Scorer) -> None:
    for file, place in (("pred/1.png", "image 1"), ("gt/maps/1.png", "line 1")):
        assert scorer.errors("semantic", {file: rgb(0, 1)}) == [("png.kind", place, None)]
        assert scorer.errors("semantic", {file: grey(0, 2)}) == [("label.unknown", place, None)]


# Masks: where they stand in a prediction's record, and the record and field of an error.
MASKS = [
    ("instance", (0, "segmentation"), "predictions[0]"),
    ("boundary", (0, "segmentation"), "predictions[0]"),
    ("semantic-list", (0, "segmentation"), "predictions[0]"),
    ("panoptic-list", (0, "segmentation"), "predictions[0]"),
    ("referring", (0, "segmentation"), "predictions[0]"),
    ("narrative", (0, "phrases", 1, "segmentation"), "predictions[0].phrases[1]"),
    ("narrative-end", (0, "phrases", 1, "segmentation"), "predictions[0].phrases[1]"),
    ("reasoning", (0, "segmentation"), "predictions[0]"),
    ("ytvis", (0, "segmentations", 0), "predictions[0].segmentations[0]"),
]
BAD_MASKS: list[tuple[str, Json, str]] = [
    ("counts", "`", "rle.cut"),
    ("counts", FULL + "1", "rle.total"),
    ("counts", "1", "rle.total"),
    ("counts", "", "rle.total"),
    ("counts", "0O", "rle.negative"),
    ("counts", "0\u00e91", "rle.character"),
    ("counts", "o" * 100_000, "rle.number"),
    ("counts", [2**60], "rle.total"),
    ("counts", [-1, 49], "rle.negative"),
    ("counts", [1.5, 46.5], "rle.type"),
    ("counts", None, "rle.type"),
    ("counts", {}, "rle.type"),
    ("size", [8, 6], "mask.size"),
    ("size", [3, 4], "mask.size"),
    ("size", [0, 8], "mask.size"),
    ("size", [10**6, 10**6], "mask.size"),
    ("size", [2**63, 1], "mask.size"),
    ("size", [True, 8], "mask.size"),
    ("size", "6 x 8", "mask.size"),
    ("size", None, "mask.size"),
]


@pytest.mark.parametrize(("task", "path", "record"), MASKS)
def test_a_mask_that_is_none_is_named(
    task: str, path: Sequence[str | int], record: str, scorer: Scorer
) -> None:
    for key, value, kind in BAD_MASKS:
        mask = {"size": SIZE, "counts": LEFT, key: value}
        found = scorer.errors(task, changed(task, "pred.json", path, mask))
        assert [(one[0], one[1]) for one in found] == [(kind, record)], (key, value)
        assert (found[0][2] or "").endswith(key) or task == "ytvis"
    for value in (5, "0`1", True):
        found = scorer.errors(task, changed(task, "pred.json", path, value))
        assert found[0][0] in ("segmentation.type", "rle.type")
        assert found[0][1] == record


@pytest.mark.parametrize(("task", "path", "record"), MASKS)
def test_mistaken_sizes_are_recognised(
    task: str, path: Sequence[str | int], record: str, scorer: Scorer
) -> None:
    for size, said in (([8, 6], "swapped"), ([3, 4], "low-resolution"), ([12, 16], "high-resolution")):
        mask = {"size": size, "counts": [size[0] * size[1]]}
        code, value = scorer.score(task, changes=changed(task, "pred.json", path, mask))
        assert code == 1
        assert said in value["findings"][0]["message"]


P, G = "pred.json", "gt.json"
PAN, SEG, FRAME = (
    ("annotations", 0),
    ("annotations", 0, "segments_info", 0),
    ("annotations", 0, "annotations", 0),
)
NAR, VIP, VIPGT = "gt/png_coco_val.json", "pred/pred.json", "gt/gt.json"
BIG = 2**63
COCO, NS = "instances.json", "narratives[0].segments[0]"
PH, PH1 = "predictions[0].phrases[0]", "predictions[0].phrases[1]"
PS, VS, VS1 = (f"annotations[0].{one}segments_info[0]" for one in ("", "annotations[0].", "annotations[1]."))
# Task, file, path, value, and the error.
RECORDS: list[tuple[str, str, Sequence[str | int], Json, Error]] = [
    # Instances: categories, too.
    ("instance", P, (1, "image_id"), 9, ("image.unknown", "predictions[1]", "image_id")),
    ("instance", P, (1, "image_id"), BIG, ("id.type", "predictions[1]", "image_id")),
    ("instance", P, (1, "category_id"), 9, ("category.unknown", "image 1, predictions[1]", "category_id")),
    ("instance", P, (1, "category_id"), "2", ("category.missing", "image 1, predictions[1]", "category_id")),
    ("instance", P, (1, "category_id"), ..., ("category.missing", "image 1, predictions[1]", "category_id")),
    ("instance", P, (1, "score"), "0.5", ("score.type", "predictions[1]", "score")),
    ("instance", P, (1, "score"), float("nan"), ("score.finite", "predictions[1]", "score")),
    ("instance", G, ("annotations", 0, "category_id"), 9, ("category.unknown", "image 1, annotation 1", "category_id")),
    ("boundary-classes", P, (1, "category_id"), -5, ("category.unknown", "image 1, predictions[1]", "category_id")),
    # Semantic lists.
    ("semantic-list", P, (0, "file_name"), "9.jpg", ("image.unknown", "predictions[0]", "file_name")),
    ("semantic-list", P, (0, "file_name"), 9, ("image.unknown", "predictions[0]", "file_name")),
    ("semantic-list", P, (1, "image_id"), 9, ("image.unknown", "predictions[1]", "image_id")),
    ("semantic-list", P, (1, "category_id"), 9, ("category.unknown", "predictions[1]", "category_id")),
    ("semantic-list", P, (1, "category_id"), 1, ("class.duplicate", "predictions[1]", "category_id")),
    ("semantic-list", P, (1,), 5, ("record.type", "predictions[1]", None)),
    ("semantic", "gt/categories.json", ("images", 0, "id"), 2, ("id.duplicate", "images[1]", "id")),
    ("semantic", "gt/categories.json", ("categories", 1, "id"), 1, ("id.duplicate", "categories[1]", "id")),
    # Panoptic.
    ("panoptic", P, (*PAN, "image_id"), 9, ("image.unknown", "annotations[0]", "image_id")),
    ("panoptic", P, (*PAN, "image_id"), 2, ("id.duplicate", "annotations[1]", "image_id")),
    ("panoptic", P, (*PAN, "image_id"), True, ("image.unknown", "annotations[0]", "image_id")),
    ("panoptic", P, (*PAN, "file_name"), "../a.png", ("file.name", "annotations[0]", "file_name")),
    ("panoptic", P, (*PAN, "file_name"), "gone.png", ("png.missing", "annotations[0]", None)),
    ("panoptic", P, (*PAN, "segments_info"), {}, ("json.shape", "annotations[0]", "segments_info")),
    ("panoptic", P, (*SEG, "id"), -1, ("id.value", PS, "id")),
    ("panoptic", P, (*SEG, "id"), BIG, ("id.value", PS, "id")),
    ("panoptic", P, (*SEG, "id"), "7", ("id.value", PS, "id")),
    ("panoptic", P, (*SEG, "id"), 300, ("id.duplicate", "annotations[0].segments_info[1]", "id")),
    ("panoptic", P, (*SEG, "category_id"), 9, ("category.unknown", PS, "category_id")),
    ("panoptic", P, (*SEG, "category_id"), "1", ("id.type", PS, "category_id")),
    ("panoptic", P, SEG, ..., ("png.ids", "1.png, annotations[0]", "id")),
    ("panoptic", G, SEG, ..., ("png.ids", "1.png, annotations[0]", "id")),
    ("panoptic-list", P, (0, "category_id"), 9, ("category.unknown", "predictions[0]", "category_id")),
    ("panoptic-list", P, (0, "category_id"), ..., ("category.unknown", "predictions[0]", "category_id")),
    # Referring.
    ("referring", P, (0, "expr_id"), 9, ("expression.unknown", "predictions[0]", "expr_id")),
    ("referring", P, (0, "expr_id"), "11", ("id.type", "predictions[0]", "expr_id")),
    ("referring", P, (0, "expr_id"), BIG, ("id.type", "predictions[0]", "expr_id")),
    ("referring", P, (1, "expr_id"), 11, ("expression.duplicate", "predictions[1]", "expr_id")),
    ("referring", P, (0, "image_id"), 2, ("image.other", "predictions[0]", "image_id")),
    ("referring", P, (0, "image_id"), True, ("id.type", "predictions[0]", "image_id")),
    ("referring", P, (0, "score"), float("inf"), ("score.finite", "predictions[0]", "score")),
    ("referring", P, (0, "no_target"), 1, ("flag.type", "predictions[0]", "no_target")),
    ("referring", P, (0, "mask"), RLE_FULL, ("key.unknown", "predictions[0]", "mask")),
    ("referring", P, (0, "segmentation"), ..., ("key.missing", "predictions[0]", "segmentation")),
    ("referring", P, (0, "segmentation"), [[0, 0, 1]], ("segmentation.type", "predictions[0]", "segmentation")),
    ("referring", G, ("expressions", 1, "expr_id"), 11, ("id.duplicate", "expressions[1]", "expr_id")),
    ("referring", G, ("expressions", 0, "image_id"), 9, ("image.unknown", "expressions[0]", "image_id")),
    ("referring", G, ("expressions", 0, "ann_ids"), [9], ("annotation.unknown", "expressions[0]", "ann_ids")),
    ("referring", G, ("expressions", 0, "ann_ids"), [3], ("image.other", "expressions[0]", "ann_ids")),
    ("referring", G, ("expressions", 0, "ann_ids"), [1, 1], ("id.duplicate", "expressions[0]", "ann_ids")),
    ("referring", G, ("expressions", 0, "ann_ids"), [-1, 1], ("id.duplicate", "expressions[0]", "ann_ids")),
    ("referring", G, ("expressions",), [], ("expressions.empty", None, None)),
    ("referring", COCO, ("annotations", 1, "id"), 1, ("id.duplicate", "annotations[1]", "id")),
    ("referring", COCO, ("annotations", 1, "image_id"), True, ("image.unknown", "annotations[1]", "image_id")),
    # Narratives.
    ("narrative", P, (0, "narrative_idx"), 2, ("narrative.unknown", "predictions[0]", "narrative_idx")),
    ("narrative", P, (0, "narrative_idx"), -1, ("narrative.unknown", "predictions[0]", "narrative_idx")),
    ("narrative", P, (1, "narrative_idx"), 0, ("narrative.duplicate", "predictions[1]", "narrative_idx")),
    ("narrative", P, (0, "image_id"), 2, ("image.other", "predictions[0]", "image_id")),
    ("narrative", P, (0, "phrases"), None, ("json.shape", "predictions[0]", "phrases")),
    ("narrative", P, (0, "phrases", 0, "phrase_idx"), 3, ("phrase.unknown", PH, "phrase_idx")),
    ("narrative", P, (0, "phrases", 0, "phrase_idx"), None, ("phrase.unknown", PH, "phrase_idx")),
    ("narrative", P, (0, "phrases", 1, "phrase_idx"), 0, ("phrase.duplicate", PH1, "phrase_idx")),
    ("narrative", P, (0, "phrases", 0, "char_span"), [5, 500], ("span.value", PH, "char_span")),
    ("narrative", P, (0, "phrases", 0, "text"), 5, ("text.type", PH, "text")),
    ("narrative-end", P, (0, "phrases", 0, "phrase_idx"), 0, ("phrase.given", PH, "phrase_idx")),
    ("narrative", NAR, (0, "image_id"), "9", ("image.unknown", "narratives[0]", "image_id")),
    ("narrative", NAR, (0, "image_id"), True, ("image.unknown", "narratives[0]", "image_id")),
    ("narrative", NAR, (0, "segments", 0, "noun"), "yes", ("flag.type", NS, "noun")),
    ("narrative", NAR, (0, "segments", 0, "plural"), ..., ("flag.type", NS, "plural")),
    ("narrative", NAR, (0, "segments", 0, "segment_ids"), ["9"], ("segment.unknown", NS, "segment_ids")),
    ("narrative", NAR, (0, "segments", 0, "segment_ids"), ["\u0667"], ("segment.unknown", NS, "segment_ids")),
    # Reasoning.
    ("reasoning", P, (0, "image"), "z", ("image.unknown", "predictions[0]", "image")),
    ("reasoning", P, (0, "image"), 5, ("text.type", "predictions[0]", "image")),
    ("reasoning", P, (0, "text_idx"), 2, ("text.unknown", "predictions[0]", "text_idx")),
    ("reasoning", P, (0, "text_idx"), -1, ("text.unknown", "predictions[0]", "text_idx")),
    ("reasoning", P, (0, "text_idx"), "0", ("id.type", "predictions[0]", "text_idx")),
    ("reasoning", P, (1, "text_idx"), 0, ("text.duplicate", "predictions[1]", "text_idx")),
    ("reasoning", "val/a.json", ("text",), [], ("text.type", None, "text")),
    ("reasoning", "val/a.json", ("is_sentence",), "no", ("flag.type", None, "is_sentence")),
    ("reasoning", "val/a.json", ("shapes", 0, "points", 0), 5, ("polygon.number", "shapes[0]", None)),
    ("reasoning", "val/a.json", ("shapes", 0, "points", 0), [1e300, 0], ("polygon.number", "shapes[0]", None)),
    ("reasoning", "val/a.json", ("shapes", 0, "points", 0), [float("nan"), 0], ("polygon.number", "shapes[0]", None)),
    ("reasoning", "val/a.json", ("shapes", 0, "points"), [None], ("polygon.number", "shapes[0]", None)),
    # Tubes.
    ("ytvis", P, (0, "video_id"), 9, ("video.unknown", "predictions[0]", "video_id")),
    ("ytvis", P, (0, "video_id"), True, ("video.unknown", "predictions[0]", "video_id")),
    ("ytvis", P, (0, "category_id"), 9, ("category.unknown", "predictions[0]", "category_id")),
    ("ytvis", P, (0, "category_id"), [1], ("category.unknown", "predictions[0]", "category_id")),
    ("ytvis", P, (0, "score"), float("nan"), ("score.finite", "predictions[0]", "score")),
    ("ytvis", P, (0, "score"), "1", ("score.type", "predictions[0]", "score")),
    ("ytvis", P, (0, "segmentations"), [None], ("video.length", "predictions[0]", "segmentations")),
    ("ytvis", P, (0, "segmentations"), ..., ("video.length", "predictions[0]", "segmentations")),
    ("ytvis", G, ("videos", 1, "id"), 1, ("video.id", "videos[1]", "id")),
    ("ytvis", G, ("videos", 0, "height"), 6.0, ("video.size", "videos[0]", "height, width")),
    ("ytvis", G, ("videos", 0, "height"), 2**28, ("video.size", "videos[0]", "file_names")),
    ("ytvis", G, ("videos", 0, "length"), 3, ("video.length", "videos[0]", "length")),
    ("ytvis", G, ("annotations", 0, "id"), [1], ("id.type", "annotations[0]", "id")),
    ("ytvis", G, ("annotations", 1, "id"), 1, ("annotation.duplicate", "annotations[1]", "id")),
    ("ytvis", G, ("annotations", 0, "iscrowd"), 2, ("iscrowd.value", "annotations[0]", "iscrowd")),
    ("ytvis", G, ("categories", 0, "name"), 5, ("category.invalid", "categories[0]", "id, name")),
    # Panoptic videos.
    ("vpq", VIP, ("annotations", 0, "video_id"), "c", ("video.unknown", "annotations[0]", "video_id")),
    ("vpq", VIP, ("annotations", 1, "video_id"), "a", ("video.duplicate", "annotations[1]", "video_id")),
    ("vpq", VIP, ("annotations", 0, "annotations"), None, ("json.shape", "annotations[0]", "annotations")),
    ("vpq", VIP, (*FRAME, "image_id"), "f9", ("frame.unknown", "annotations[0].annotations[0]", "image_id")),
    ("vpq", VIP, (*FRAME, "image_id"), "f1", ("frame.duplicate", "annotations[0].annotations[1]", "image_id")),
    ("vpq", VIP, (*FRAME, "file_name"), "/etc/x.png", ("file.name", "annotations[0].annotations[0]", "file_name")),
    ("vpq", VIP, (*FRAME, "file_name"), "gone.png", ("png.missing", "video a, frame f0", None)),
    ("vpq", VIP, (*FRAME, "segments_info"), None, ("json.shape", "annotations[0].annotations[0]", "segments_info")),
    ("vpq", VIP, (*FRAME, "segments_info", 0, "id"), 0, ("segment.id", VS, "id")),
    ("vpq", VIP, (*FRAME, "segments_info", 0, "id"), 2**24, ("segment.id", VS, "id")),
    ("vpq", VIP, (*FRAME, "segments_info", 0, "category_id"), [1], ("category.unknown", VS, "category_id")),
    ("vpq", VIP, (*FRAME, "segments_info", 0, "category_id"), True, ("category.unknown", VS, "category_id")),
    ("vpq", VIP, (*FRAME, "segments_info", 0, "category_id"), 2, ("segment.category", VS1, "category_id")),
    ("vpq", VIP, (*FRAME, "segments_info", 0, "iscrowd"), "no", ("iscrowd.value", VS, "iscrowd")),
    ("vpq", VIP, (*FRAME, "segments_info", 0), ..., ("panoptic.ids", "video a, frame f0", None)),
    ("vpq", VIPGT, ("videos", 0, "video_id"), "../a", ("video.id", "videos[0]", "video_id")),
    ("vpq", VIPGT, ("videos", 0, "images", 1, "height"), [6], ("video.size", "videos[0].images[1]", "height, width")),
    ("vpq", VIPGT, ("videos", 0, "images", 1, "height"), 7, ("video.size", "videos[0].images[1]", "height, width")),
    ("vpq", VIPGT, ("videos", 0, "images", 1, "id"), "f0", ("video.frames", "videos[0]", "images")),
    ("vpq", VIPGT, ("annotations", 1), ..., ("video.no_record", "video b", None)),
]  # fmt: skip


@pytest.mark.parametrize("task", sorted({one[0] for one in RECORDS}))
def test_a_record_that_is_wrong_is_named(task: str, scorer: Scorer) -> None:
    for name, file, path, value, error in RECORDS:
        if name == task:
            assert error in scorer.errors(task, changed(task, file, path, value)), (file, path, value)


MISSING: list[tuple[str, dict[str, Json], int]] = [
    ("instance", {P: []}, 2),
    ("boundary", {P: []}, 2),
    ("semantic", {"pred/1.png": ...}, 1),
    ("semantic-list", {P: []}, 2),
    ("panoptic", {P: {"annotations": TASKS["panoptic"].files[P]["annotations"][:1]}}, 1),
    ("panoptic", {P: {"annotations": []}}, 2),
    ("panoptic-list", {P: []}, 2),
    ("referring", {P: []}, 2),
    ("narrative", {P: []}, 4),
    ("narrative-end", {P: []}, 4),
    ("reasoning", {P: []}, 4),
    ("dichotomous", {"pred/a.png": ...}, 1),
    ("ytvis", {P: []}, 2),
    ("uvo", {P: []}, 2),
    ("vpq", {VIP: {"annotations": []}}, 2),
    ("stq", {VIP: {"annotations": TASKS["vpq"].files[VIP]["annotations"][:1]}}, 1),
]


@pytest.mark.parametrize(("task", "changes", "missing"), MISSING)
def test_what_is_missing_is_scored_as_empty_and_counted(
    task: str, changes: dict[str, Json], missing: int, scorer: Scorer
) -> None:
    code, whole = scorer.score(task)
    assert code == 0
    code, value = scorer.score(task, changes=changes)
    assert code == 0
    counts = value["counts"]
    assert (counts["expected"], counts["missing"]) == (TASKS[task].units, missing)
    figure = next(iter(value))
    assert value[figure] < whole[figure]


def test_panopticapi_refuses_a_missing_image_unless_asked_to_be_lenient(scorer: Scorer) -> None:
    first = {P: {"annotations": TASKS["panoptic"].files[P]["annotations"][:1]}}
    code, canonical = scorer.score("panoptic", changes=first)
    assert code == 0
    assert scorer.errors("panoptic", first, "--mode", "panopticapi") == [("image.missing", "image 2", None)]
    code, value = scorer.score("panoptic", changes=first, more=["--mode", "panopticapi", "--lenient"])
    assert (code, value["missing"], value["counts"]["missing"]) == (0, "void", 1)
    assert value["PQ"] == canonical["PQ"] == pytest.approx(2 / 3)


def test_masks_that_must_not_overlap_are_named(scorer: Scorer) -> None:
    second = {"size": SIZE, "counts": FULL}
    for task, row in (("panoptic-list", 1), ("semantic-list", 1)):
        found = scorer.errors(task, changed(task, P, (row, "segmentation"), second))
        assert found == [("pred.overlap", "image 1", None)]
    truth = changed("instance", G, ("annotations", 1, "segmentation"), second)
    arguments = TASKS["panoptic-list"].write(scorer.folder, {**truth, P: []})
    code, value = scorer.call(arguments)
    assert (code, complete(value)) == (1, [("gt.overlap", "image 1", None)])


def test_png_and_json_that_disagree_are_named_each_way(scorer: Scorer) -> None:
    for task, file, kind in (
        ("panoptic", "pred/1.png", "png.ids"),
        ("panoptic", "gt/1.png", "png.ids"),
        ("narrative", "gt/panoptic_val/1.png", "png.ids"),
        ("vpq", "pred/pan_pred/a/f0.png", "panoptic.ids"),
        ("vpq", "gt/panomasksRGB/a/f0.png", "panoptic.ids"),
    ):
        # A segment more; and ids that were cut to 8 bits, 44 instead of 300.
        assert {one[0] for one in scorer.errors(task, {file: rgb(7, 7, 300, 9)})} == {kind}
        assert {one[0] for one in scorer.errors(task, {file: rgb(7, 44)})} == {kind}
        # A segment less; the ground truth of ADE20K has some without a pixel, of which there is a warning.
        if (task, file) != ("panoptic", "gt/1.png"):
            assert {one[0] for one in scorer.errors(task, {file: rgb(7, 0)})} == {kind}


def test_pngs_that_no_record_names_are_told_of(scorer: Scorer) -> None:
    for task, file in (("panoptic", "pred/stranger.png"), ("vpq", "pred/pan_pred/a/f9.png")):
        code, value = scorer.score(task, changes={file: rgb(7)})
        found = value["warnings"]["findings"]
        assert (code, [(one["kind"], Path(one["file"]).name) for one in found]) == (
            0,
            [("png.extra", Path(file).name)],
        )
    for task, file in (
        ("semantic", "pred/9.png"),
        ("dichotomous", "pred/z.png"),
        ("dichotomous", "thin/z.png"),
    ):
        assert [one[0] for one in scorer.errors(task, {file: grey(0)})] == ["image.unknown"]
    assert [one[0] for one in scorer.errors("dichotomous", {"gt/notes.txt": "x", "pred/z.png": grey(0)})] == [
        "map.file",
        "image.unknown",
    ]


def test_areas_and_flags_that_are_none_are_told_of(scorer: Scorer) -> None:
    for value in (-1, "24", True, 10**30):
        code, found = scorer.score("panoptic", changes=changed("panoptic", G, (*SEG, "area"), value))
        kinds = [one["kind"] for one in found["warnings"]["findings"]]
        assert (code, kinds, found["PQ"]) == (0, ["area.value"], 1.0)
    code, found = scorer.score(
        "panoptic", changes=changed("panoptic", G, ("categories", 0, "isthing"), "yes")
    )
    assert [one["kind"] for one in found["warnings"]["findings"]] == ["category.isthing"]
    code, found = scorer.score(
        "reasoning", changes=changed("reasoning", "val/a.json", ("shapes", 0, "label"), "x")
    )
    assert [one["kind"] for one in found["warnings"]["findings"]] == ["label.unknown"]


@pytest.mark.parametrize(
    "task", ["referring", "reasoning", "narrative", "ytvis", "instance", "panoptic-list"]
)
def test_all_errors_are_listed_twenty_of_a_kind(task: str, scorer: Scorer) -> None:
    one = TASKS[task].files[P][0]
    key = {
        "referring": "expr_id",
        "reasoning": "image",
        "narrative": "narrative_idx",
        "ytvis": "video_id",
    }.get(task, "image_id")
    bad = {**one, key: "nobody" if key == "image" else 999}
    code, value = scorer.score(task, changes={P: [bad] * 30 + [5] * 3 + TASKS[task].files[P]})
    assert (code, value["errors"], len(value["findings"])) == (1, 33, 23)
    assert list(value["not_shown"].values()) == [10]


def test_many_bad_masks_of_a_video_are_counted(scorer: Scorer) -> None:
    bad = {"size": SIZE, "counts": "1"}
    one = {**TASKS["ytvis"].files[P][0], "segmentations": [bad, bad]}
    code, value = scorer.score("ytvis", changes={P: [one] * 15})
    assert (code, value["errors"], value["not_shown"]) == (1, 30, {"rle.total": 10})


def test_a_decompression_bomb_is_not_unpacked(scorer: Scorer) -> None:
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000)))
    line = zlib.compress((b"\0" + bytes([255] * 4 + [0] * 4)) * 6)
    for file in ("gt/a.png", "pred/a.png"):
        code, value = scorer.score("dichotomous", changes={file: png(6, 8, line, extra=text)})
        assert code == 0 or complete(value)[0][0] == "png.damaged"


def test_pickles_run_no_code(scorer: Scorer) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (scorer.folder / "owned",)

    instances = write(
        scorer.folder / "refcoco" / "instances.json", TASKS["referring"].files["instances.json"]
    )
    ref = {
        "ref_id": 1,
        "image_id": 1,
        "ann_id": 1,
        "split": "val",
        "sentences": [{"sent_id": 1, "sent": "left"}],
    }
    out = str(scorer.folder / "out")
    command = ["data", "refs", str(instances.parent), "--out", out, "--no-counts"]
    for content, kinds in (
        (pickle.dumps([ref, Evil()]), {"pickle.refused"}),
        (pickle.dumps([ref])[:-5], {"pickle.broken"}),
        (b"", {"file.empty"}),
        (json.dumps([ref]).encode(), {"pickle.broken"}),
        (gzip.compress(pickle.dumps([ref])), {"pickle.broken"}),
        (pickle.dumps({"refs": [ref]}), {"refs.type", "split.unknown"}),
        (pickle.dumps([{**ref, "ref_id": "1"}]), {"id.type"}),
        (pickle.dumps([{**ref, "sentences": [5]}]), {"text.type"}),
        (pickle.dumps([{**ref, "ann_id": 99}]), {"annotation.unknown"}),
        (pickle.dumps([ref, ref]), {"id.duplicate"}),
    ):
        write(instances.parent / "refs(unc).p", content)
        code, value = scorer.call(command)
        assert code == 1
        assert {one[0] for one in complete(value)} & kinds, (content[:80], value)
    assert not (scorer.folder / "owned").exists()
    assert not (scorer.folder / "out").exists()


# Values that a mutation puts anywhere; texts of JSON.
VALUES = (
    "null", "-1", "0", str(2**63), str(2**64), "1" * 40, "1e400", "1.5", "NaN", "true", '""', '"x"', '"1"', "[]",
    "{}", "[[1]]", "[null]", '"\\ud800"', '"a\\u0000b"', '"../../x"',
)  # fmt: skip


def paths(value: Json, prefix: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value in a JSON value, itself included."""
    yield prefix
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from paths(value[key], (*prefix, key))


@pytest.mark.parametrize("task", [one for one in TASKS if one not in TWINS])
def test_whatever_stands_anywhere_is_scored_or_named(task: str, scorer: Scorer) -> None:
    rng = random.Random(task)
    arguments = TASKS[task].write(scorer.folder)
    for file in [one for one in TASKS[task].files if one.endswith(".json")]:
        content = TASKS[task].files[file]
        for path in rng.sample(list(paths(content)), min(6, len(list(paths(content))))):
            for value in rng.sample(VALUES, 2):
                text = json.dumps(changed(task, file, path, "@@")[file]).replace('"@@"', value)
                write(scorer.folder / file, text)
                code, found = scorer.call(arguments)
                assert code == 0 or complete(found), (file, path, value)
        write(scorer.folder / file, content)


def test_modes_that_contradict_each_other_are_refused(scorer: Scorer) -> None:
    gt, pred = (write(scorer.folder / name, TASKS["instance"].files[name]) for name in (G, P))
    command = ["score", "entity", "--gt", str(gt), "--pred", str(pred), "--bootstrap", "0"]
    assert scorer.call([*command, "--mode", "canonical", "--compat", "pycocotools"])[0] == 2
    for options in (["--compat", "pycocotools"], ["--mode", "pycocotools", "--compat", "pycocotools"]):
        assert scorer.call([*command, *options])[1]["mode"] == "pycocotools"
    assert scorer.call([*command, "--mode", "canonical"])[1]["mode"] == "canonical"
