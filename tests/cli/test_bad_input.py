"""Hostile input through the command line: every problem is named by kind, place and field, with exit code 1 or 2."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from entityseg.cli.main import run
from entityseg.data.json_file import parse_json_file
from entityseg.errors import InputError
from entityseg.masks import from_dense, to_coco

Json = Any
# A 6 x 8 image: all foreground, and the two halves of it.
SIZE, FULL, LEFT, RIGHT = [6, 8], "0`1", "0h0h0", "h0h0"
GT: Json = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "height": 6, "width": 8},
        {"id": 2, "file_name": "b.jpg", "height": 6, "width": 8},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "iscrowd": 0,
            "segmentation": {"size": SIZE, "counts": FULL},
        }
    ],
    "categories": [{"id": 1, "name": "entity"}],
}
PREDICTION: Json = {"image_id": 1, "segmentation": {"size": SIZE, "counts": FULL}, "score": 0.5}
PANOPTIC: Json = {
    "images": [{"id": 1, "file_name": "a.jpg", "height": 6, "width": 8}],
    "annotations": [
        {
            "image_id": 1,
            "file_name": "a.png",
            "segments_info": [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 1}],
        }
    ],
    "categories": [{"id": 1, "name": "entity", "isthing": 1}],
}
# Address space of a child; the interpreter with numba and its libraries takes about 1.5 GB of it.
MEMORY, SECONDS = 3_200_000_000, 60


class Shell:
    """Runs commands in this process and keeps what they say."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def write(self, name: str, content: Json) -> Path:
        """Write bytes, text or a value as JSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, bytes):
            text = content if isinstance(content, str) else json.dumps(content)
            content = text.encode("utf-8", "surrogatepass")
        path.write_bytes(content)
        return path

    def run(self, *arguments: object) -> tuple[int, Json]:
        """Run a command with `--json`; return its exit code and its object."""
        code = run([*map(str, arguments), "--json"])
        shown = self.capsys.readouterr()
        assert code in (0, 1, 2), shown.err
        assert "Traceback" not in shown.err
        return code, json.loads(shown.out)

    def errors(self, *arguments: object, code: int = 1) -> list[tuple[str, str | None, str | None]]:
        """Run a command that must fail; return (kind, record, field) of its errors."""
        got, value = self.run(*arguments)
        assert got == code, value
        found = [one for one in value["findings"] if one["severity"] == "error"]
        for one in found:
            assert one["message"]
            assert one["remedy"].rstrip().endswith((".", ")")) or "\n" in one["remedy"]
            assert code == 2 or "file" in one
        return [(one["kind"], one.get("record"), one.get("field")) for one in found]

    def score(self, gt: Json, predictions: Json) -> list[tuple[str, str | None, str | None]]:
        """Return the errors of scoring predictions; both are written to files."""
        files = (self.write("gt.json", gt), self.write("pred.json", predictions))
        return self.errors("score", "entity", "--gt", files[0], "--pred", files[1], "--bootstrap", 0)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def changed(value: Json, path: Sequence[str | int], new: Json) -> Json:
    """Return a copy with another value (`...`: none) at a path of keys."""
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    if new is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


# Field, its value, the problem's kind and field: for predictions (a list of one) and for ground truth alike.
COUNTS, MASK_SIZE = ("segmentation", "counts"), ("segmentation", "size")
RECORDS = [
    (COUNTS, "`", "rle.cut", "counts"),
    (COUNTS, FULL + "1", "rle.total", "counts"),
    (COUNTS, "1", "rle.total", "counts"),
    (COUNTS, "", "rle.total", "counts"),
    (COUNTS, "0O", "rle.negative", "counts"),
    (COUNTS, "0\u00e91", "rle.character", "counts"),
    (COUNTS, "0\ud800", "rle.character|json.invalid", "counts"),
    (COUNTS, "o" * 1_000_000, "rle.number", "counts"),
    (COUNTS, [2**60], "rle.total", "counts"),
    (COUNTS, [-1, 49], "rle.negative", "counts"),
    (COUNTS, [1.5, 46.5], "rle.type", "counts"),
    (COUNTS, None, "rle.type", "counts"),
    (MASK_SIZE, [8, 6], "mask.size", "size"),
    (MASK_SIZE, [0, 8], "mask.size", "size"),
    (MASK_SIZE, [10**6, 10**6], "mask.size", "size"),
    (MASK_SIZE, "6 x 8", "mask.size", "size"),
    (("segmentation",), ..., "key.missing", "segmentation"),
    (("segmentation",), 5, "segmentation.type", "segmentation"),
    (("segmentation",), [[0, 0, 1]], "polygon.odd", "segmentation"),
    (("segmentation",), [[1e308, 1e308, -1e308, 1e308, 0, 0]], "polygon.number", "segmentation"),
    (("segmentation",), [[float("nan")] * 6], "polygon.type", "segmentation"),
    (("image_id",), ..., "key.missing", "image_id"),
    (("image_id",), 7, "image.unknown", "image_id"),
    (("image_id",), "1", "image.unknown", "image_id"),
    (("image_id",), "\u00b2", "image.unknown", "image_id"),
    (("image_id",), 1.0, "id.type", "image_id"),
    (("image_id",), True, "id.type", "image_id"),
    (("image_id",), 2**63, "id.type", "image_id"),
    (("image_id",), None, "id.type", "image_id"),
]


@pytest.mark.parametrize(("path", "value", "kind", "field"), RECORDS)
@pytest.mark.parametrize("where", ["annotations", "predictions"])
def test_a_wrong_record_is_named(
    where: str, path: Sequence[str], value: Json, kind: str, field: str, shell: Shell
) -> None:
    if where == "annotations":
        found = shell.score(changed(GT, ["annotations", 0, *path], value), [PREDICTION])
    else:
        found = shell.score(GT, [changed(PREDICTION, path, value)])
    assert found[0][0] in kind.split("|")
    if found[0][0] != "json.invalid":
        assert found[0][1] == f"{where}[0]"
        assert (found[0][2] or "").endswith(field)


@pytest.mark.parametrize(
    ("path", "value", "kind", "field"),
    [
        (["images", 1, "id"], 1, "id.duplicate", "id"),
        (["images", 1, "id"], True, "id.type", "id"),
        (["images", 1, "id"], 2**64, "id.type", "id"),
        (["images", 1, "file_name"], 5, "name.type", "file_name"),
        (["images", 1, "height"], 0, "image.size", "height, width"),
        (["images", 1, "height"], ..., "key.missing", None),
        (["images", 1], 5, "record.type", None),
        (["images"], ..., "json.shape", "images"),
        (["categories", 0, "id"], 2**63, "category.invalid", "id, name"),
        (["categories", 0, "name"], ..., "category.invalid", "id, name"),
        (["categories"], [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}], "id.duplicate", "id"),
        (["annotations", 0, "id"], ..., "key.missing", "id"),
        (["annotations", 0, "id"], 1.0, "id.type", "id"),
        (["annotations", 0, "category_id"], "1", "id.type", "category_id"),
        (["annotations", 0, "iscrowd"], -1, "iscrowd.value", "iscrowd"),
        (["annotations", 0, "iscrowd"], 2, "iscrowd.value", "iscrowd"),
    ],
)
def test_a_wrong_ground_truth_is_named(
    path: list[str | int], value: Json, kind: str, field: str | None, shell: Shell
) -> None:
    gt = shell.write("gt.json", changed(GT, path, value))
    assert (kind, field) in [(one[0], one[2]) for one in shell.errors("data", "info", gt)]


def test_annotations_of_a_wrong_image_need_no_findings_of_their_own(shell: Shell) -> None:
    gt = changed(GT, ["images", 0, "height"], 10**6)
    gt["images"][0]["width"] = 10**6
    assert shell.score(gt, []) == [("image.size", "images[0]", "height, width")]


def test_duplicate_annotation_ids_are_named(shell: Shell) -> None:
    gt = changed(GT, ["annotations"], [GT["annotations"][0]] * 2)
    assert shell.score(gt, []) == [("id.duplicate", "annotations[1]", "id")]


@pytest.mark.parametrize(
    ("score", "kind"),
    [
        ("NaN", "score.finite"),
        ("-Infinity", "score.finite"),
        ("1e400", "score.finite"),
        ("9" * 10_000, "score.finite"),
        ('"0.5"', "score.type"),
        ("true", "score.type"),
        ("null", "score.type"),
    ],
)
def test_a_score_that_is_no_finite_number_is_named(score: str, kind: str, shell: Shell) -> None:
    text = json.dumps([PREDICTION, {**PREDICTION, "image_id": 2}]).replace("0.5", score, 1)
    assert shell.score(GT, text) == [(kind, "predictions[0]", "score")]


@pytest.mark.parametrize("score", ["-0", "-0.0", "-3", "1e-400", "0." + "1" * 100_000])
def test_odd_scores_that_are_numbers_are_taken(score: str, shell: Shell) -> None:
    text = json.dumps([PREDICTION]).replace("0.5", score)
    gt, pred = shell.write("gt.json", GT), shell.write("pred.json", text)
    code, value = shell.run("score", "entity", "--gt", gt, "--pred", pred, "--bootstrap", 0)
    assert (code, value["AP"]) == (0, 1.0)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "file.empty"),
        (b"\0" * 100, "json.invalid"),
        (json.dumps([PREDICTION])[:-30], "json.invalid"),
        (json.dumps([PREDICTION]).encode("utf-16"), "json.utf8"),
        (json.dumps([PREDICTION]).encode().replace(b"score", b"sc\xf6re"), "json.utf8"),
        (b"[" * 100_000, "json.deep"),
        (b'{"a":' * 100_000, "json.deep"),
        (b"5", "json.shape"),
        (b'{"images": []}', "json.shape"),
    ],
)
def test_json_that_is_broken_is_named(content: bytes | str, kind: str, shell: Shell) -> None:
    assert [one[0] for one in shell.score(GT, content)] == [kind]


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ("hello", "Check that this is the right file."),
        ('[{"image_id": 1', "The file looks cut off: write or download it again."),
        ("[1,]", "Write it with a JSON library."),
    ],
)
def test_the_remedy_of_broken_json_fits(content: str, remedy: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError) as caught:
        parse_json_file(tmp_path / "a.json")
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "file.empty"),
        (json.dumps(GT)[:-30], "json.invalid"),
        (json.dumps(GT).encode("utf-16"), "json.utf8"),
        (b'{"images": [], "annotations": [{"segmentation":' + b"[" * 100_000, "json.deep"),
        (json.dumps(GT).replace("a.jpg", "\\ud800").replace('"id": 2', '"id": NaN'), "json.invalid"),
    ],
)
def test_ground_truth_that_is_broken_is_named(content: bytes | str, kind: str, shell: Shell) -> None:
    gt = shell.write("gt.json", content)
    for command in (["data", "info", gt], ["score", "entity", "--gt", gt, "--pred", gt]):
        assert [one[0] for one in shell.errors(*command)] == [kind]


def test_of_a_key_that_stands_twice_the_last_one_counts(shell: Shell) -> None:
    twice = '[{"image_id": 5, "segmentation": {"size": [6, 8], "counts": "1"}, "score": "x", %s]'
    pred = twice % json.dumps(PREDICTION)[1:]
    gt, path = shell.write("gt.json", GT), shell.write("pred.json", pred)
    code, value = shell.run("score", "entity", "--gt", gt, "--pred", path, "--bootstrap", 0)
    assert (code, value["AP"]) == (0, 1.0)
    half = '[{"image_id": 1, "segmentation": {"size": [6, 8], "counts": "0`1"}, "segmentation": {"size": [6, 8]}, %s]'
    assert shell.score(GT, half % '"score": 1}') == [("rle.type", "predictions[0]", "segmentation.counts")]


def test_low_resolution_and_swapped_sizes_are_recognised(shell: Shell) -> None:
    gt = shell.write("gt.json", changed(GT, ["annotations"], []))
    for size, said in (([8, 6], "swapped"), ([3, 4], "low-resolution"), ([12, 16], "high-resolution")):
        mask = to_coco(from_dense(np.ones((1, *size), bool)))[0]
        pred = shell.write("pred.json", [{**PREDICTION, "segmentation": mask}])
        code, value = shell.run("score", "entity", "--gt", gt, "--pred", pred)
        assert (code, value["findings"][0]["kind"]) == (1, "mask.size")
        assert said in value["findings"][0]["message"]


def test_twenty_of_a_kind_and_then_a_count(shell: Shell) -> None:
    wrong = [{**PREDICTION, "score": "x"}] * 30 + [{**PREDICTION, "image_id": 9}] * 25 + [PREDICTION]
    gt, pred = shell.write("gt.json", GT), shell.write("pred.json", wrong)
    code, value = shell.run("score", "entity", "--gt", gt, "--pred", pred)
    assert (code, value["errors"], len(value["findings"])) == (1, 55, 40)
    assert value["not_shown"] == {"image.unknown": 5, "score.type": 10}


def test_many_overlapping_masks_are_counted_and_the_first_ones_named(shell: Shell) -> None:
    masks = [{**PREDICTION, "score": i / 3000} for i in range(3000)]
    gt, pred = shell.write("gt.json", GT), shell.write("pred.json", masks)
    for command in (
        ["score", "entity", "--gt", gt, "--pred", pred],
        ["predictions", "check", "--gt", gt, pred],
    ):
        code, value = shell.run(*command)
        found = [one for one in value["findings"] if one["kind"] == "pred.overlap"]
        assert (code, len(found), found[0]["record"]) == (1, 20, "image 1")
        assert value["not_shown"]["pred.overlap"] > 1_000_000
        assert "3000 masks" in found[0]["message"]
        assert "predictions[0] and predictions[1] share 48 pixels" in found[1]["message"]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(height: int, width: int, pixels: bytes, *, colour: int = 2, extra: bytes = b"") -> bytes:
    """Return a PNG file whose header may lie."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def rows(*ids: int) -> bytes:
    """Return the packed pixels of a 6 x 8 PNG whose columns are divided among the ids."""
    line = b"\0" + b"".join(bytes([one, 0, 0]) * (8 // len(ids)) for one in ids)
    return zlib.compress(line * 6)


GOOD_PNG = png(6, 8, rows(1, 2))
BOMB = zlib.compress(b"\0" * 1_000_000)


@pytest.mark.parametrize(
    ("data", "kind", "field"),
    [
        (png(6, 8, rows(1, 2, 3, 4)), "png.ids", "id"),
        (png(6, 8, rows(1)), "png.ids", "id"),
        (None, "png.missing", None),
        (b"", "png.type", None),
        (b"\xff\xd8\xff\xe0", "png.type", None),
        (GOOD_PNG[:-20], "png.damaged", None),
        (GOOD_PNG[:70], "png.damaged", None),
        (GOOD_PNG[:45] + b"!" + GOOD_PNG[46:], "png.damaged", None),
        (png(6, 8, b"junk"), "png.damaged", None),
        (png(6, 8, zlib.compress(b"\0" * 75)), "png.damaged", None),
        (png(6, 8, rows(1, 2), colour=6), "png.kind", None),
        (png(60_000, 60_000, BOMB), "png.damaged", None),
        (png(0, 8, rows(1, 2)), "mask.size", None),
        (png(8, 6, rows(1, 2)), "png.size", "size"),
    ],
)
def test_a_png_that_is_wrong_or_disagrees_with_its_json_is_named(
    data: bytes | None, kind: str, field: str | None, shell: Shell
) -> None:
    panoptic = copy.deepcopy(PANOPTIC)
    panoptic["images"].append({**panoptic["images"][0], "id": 2, "file_name": "b.jpg"})
    panoptic["annotations"].append({**panoptic["annotations"][0], "image_id": 2, "file_name": "b.png"})
    shell.write("set/panoptic/b.png", GOOD_PNG)
    if data is not None:
        shell.write("set/panoptic/a.png", data)
    source = shell.write("set/panoptic.json", panoptic).parent
    found = shell.errors("data", "info", source)
    assert {(one[0], one[2]) for one in found} == {(kind, field)}
    assert all("annotations[0]" in (one[1] or "") for one in found)
    assert {
        one[0] for one in shell.errors("data", "convert", "--to", "entity", source, shell.folder / "out")
    } == {kind}
    assert not (shell.folder / "out").exists()


def test_text_that_unpacks_to_gigabytes_is_not_unpacked(shell: Shell) -> None:
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000)))
    shell.write("set/panoptic/a.png", png(6, 8, rows(1, 2), extra=text))
    code, value = shell.run("data", "info", shell.write("set/panoptic.json", PANOPTIC).parent)
    assert (code, value.get("images")) == (0, 1) or value["findings"][0]["kind"] == "png.damaged"


def test_all_that_is_wrong_with_segments_is_named(shell: Shell) -> None:
    segments = [
        {"id": 0, "category_id": 1},
        {"id": 2, "category_id": 9},
        {"id": 3},
        {"id": 3, "category_id": 1},
        7,
    ]
    source = shell.write("panoptic.json", changed(PANOPTIC, ["annotations", 0, "segments_info"], segments))
    place = "annotations[0].segments_info"
    assert shell.errors("data", "info", source, "--from", "coco-panoptic") == [
        ("id.value", f"{place}[0]", "id"),
        ("category.unknown", f"{place}[1]", "category_id"),
        ("id.type", f"{place}[2]", "category_id"),
        ("id.duplicate", f"{place}[3]", "id"),
        ("record.type", f"{place}[4]", None),
    ]


def test_a_missing_and_a_damaged_image_are_found(shell: Shell) -> None:
    gt = changed(GT, ["images"], [*GT["images"], {**GT["images"][0], "id": 3, "file_name": "c.jpg"}])
    source = shell.write("set/annotations.json", gt)
    (source.parent / "images").mkdir()
    Image.new("RGB", (8, 6)).save(source.parent / "images" / "a.jpg")
    whole = (source.parent / "images" / "a.jpg").read_bytes()
    shell.write("set/images/c.jpg", whole[: len(whole) // 2])
    code, value = shell.run("data", "doctor", source.parent)
    kinds = {one["kind"] for one in value["findings"] if one["severity"] == "error"}
    assert (code, kinds) == (1, {"images.missing", "image.cut"})
    missing = next(one for one in value["findings"] if one["kind"] == "images.missing")
    assert (missing["value"], missing["field"]) == ("'b.jpg'", "file_name")


def test_a_pipe_is_refused_and_not_waited_for(shell: Shell) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes on this system")
    pipe = shell.folder / "pipe.json"
    os.mkfifo(pipe)
    for command in (["data", "info", pipe], ["data", "doctor", pipe], ["predictions", "check", pipe]):
        assert [one[0] for one in shell.errors(*command)] == ["file.type"]


def test_values_that_cannot_be_written_are_no_internal_errors(shell: Shell) -> None:
    deep = json.dumps(changed(GT, ["annotations", 0, "extra"], "@")).replace('"@"', "[" * 300 + "]" * 300)
    source = shell.write("gt.json", deep)
    for target in ("entity", "coco-panoptic", "idmap", "parquet"):
        assert [
            one[0] for one in shell.errors("data", "convert", "--to", target, source, shell.folder / "out")
        ] == ["json.deep"]
        assert [path.name for path in shell.folder.iterdir()] == ["gt.json"]
    huge = json.dumps(changed(GT, ["annotations", 0, "extra"], "@")).replace('"@"', "1e400")
    code, _ = shell.run(
        "data", "convert", "--to", "entity", shell.write("gt.json", huge), shell.folder / "out"
    )
    assert code == 0
    assert (
        json.loads((shell.folder / "out" / "annotations.json").read_text())["annotations"][0]["extra"] is None
    )


@pytest.mark.parametrize(
    "name", ["../../x.jpg", "/etc/x.jpg", "a\nb.jpg", "a\0b.jpg", "x" * 300, "", "C:\\x.jpg"]
)
@pytest.mark.parametrize("target", ["coco-panoptic", "semantic", "idmap"])
def test_names_of_images_never_lead_out_of_the_target(name: str, target: str, shell: Shell) -> None:
    source = shell.write("set/gt.json", changed(GT, ["images", 0, "file_name"], name))
    target_folder = shell.folder / "deep" / "er" / "out"
    code, _ = shell.run("data", "convert", "--to", target, "--lossy", source, target_folder)
    written = [path for path in shell.folder.rglob("*") if path.is_file() and path != source]
    assert all(target_folder in path.parents for path in written)
    assert bool(written) == (code == 0)


# Children: limits of memory, time and disk, and kills.


def child(
    *arguments: object, memory: int = MEMORY, file_size: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that may take so much address space, and write files of such a size."""
    resource = pytest.importorskip("resource")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        if file_size is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    line = [sys.executable, "-m", "entityseg.cli.main", *map(str, arguments)]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=SECONDS, preexec_fn=limit, errors="replace"
    )
    assert done.returncode in (0, 1, 2), done.stderr[-500:]
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 100_000
    return done


NASTY: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "brackets": (lambda: b"[" * 50_000_000, 1, "json.deep"),
    "one long string": (lambda: b'"' + b"a" * 200_000_000 + b'"', 1, "json.shape"),
    "one long record": (lambda: b'["' + b"a" * 200_000_000 + b'"]', 1, "record.type"),
    "one long RLE": (
        lambda: json.dumps([PREDICTION]).encode().replace(b"0`1", b"o" * 100_000_000),
        1,
        "rle.number",
    ),
    "an id of many digits": (lambda: b'[{"image_id":' + b"1" * 10_000_000 + b"}]", 1, "id.type"),
    "many equal masks": (
        lambda: b"[" + b",".join([json.dumps(PREDICTION).encode()] * 500_000) + b"]",
        1,
        "pred.overlap",
    ),
    "a polygon of many points": (
        lambda: json.dumps([{**PREDICTION, "segmentation": [[1, 1, 7, 1, 7, 5] * 300_000]}]).encode(),
        0,
        "",
    ),
}


@pytest.mark.parametrize("name", NASTY)
def test_gigantic_input_ends_within_time_and_memory(name: str, tmp_path: Path) -> None:
    make, code, kind = NASTY[name]
    (tmp_path / "gt.json").write_text(json.dumps(GT))
    (tmp_path / "pred.json").write_bytes(make())
    done = child(
        "score",
        "entity",
        "--gt",
        tmp_path / "gt.json",
        "--pred",
        tmp_path / "pred.json",
        "--bootstrap",
        0,
        "--json",
    )
    assert done.returncode == code, done.stderr[-500:]
    assert code == 0 or json.loads(done.stdout)["findings"][0]["kind"] == kind


TARGETS = {
    "entity": "out/annotations.json",
    "entityseg-release": "out",
    "coco-instances": "out.json",
    "coco-panoptic": "out.json",
    "semantic": "out",
    "idmap": "out",
    "parquet": "out",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of some hundred kilobytes, in every format."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in range(6):
        images.append({"id": i + 1, "file_name": f"{i}.jpg", "height": 200, "width": 300})
        owner = rng.integers(0, 5, (200, 300))
        for k, rle in enumerate(to_coco(from_dense(np.stack([owner == one for one in range(5)])))):
            record = {"id": 10 * i + k + 1, "image_id": i + 1, "category_id": k + 1, "iscrowd": 0}
            annotations.append({**record, "segmentation": rle})
    categories = [{"id": k + 1, "name": f"c{k}", "type": "thing"} for k in range(5)]
    path = tmp_path_factory.mktemp("source") / "gt.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    predictions = [{**one, "score": 0.5} for one in annotations]
    (path.parent / "pred.json").write_text(json.dumps(predictions))
    return path


def commands(source: Path, out: Path) -> dict[str, list[object]]:
    """Return commands that write, and none of which is the same as another."""
    made: dict[str, list[object]] = {
        name: [
            "data",
            "convert",
            "--to",
            name,
            "--lossy",
            "--threads",
            1,
            source,
            out / target.partition("/")[0],
        ]
        for name, target in TARGETS.items()
    }
    for name, target in (("coco", "p.json"), ("jsonl", "p.jsonl"), ("idmap", "maps")):
        made[f"predictions {name}"] = [
            "predictions", "convert", "--lossy", "--to", name, source.parent / "pred.json", out / target
        ]  # fmt: skip
    return made


@pytest.mark.parametrize("name", [*TARGETS, "predictions coco", "predictions jsonl", "predictions idmap"])
def test_a_full_disk_leaves_nothing(name: str, source: Path, tmp_path: Path) -> None:
    command = commands(source, tmp_path / "out")[name]
    done = child(*command, "--json", file_size=3000, memory=8 * MEMORY)
    assert done.returncode == 1
    assert set(json.loads(done.stdout)) >= {"error", "findings"}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# Runs a command and ends the process, as a kill does, before the n-th change that it makes to the file system.
CRASH = """
import os, sys
folder, at = sys.argv[1], int(sys.argv[2])
changes = 0
def hook(event, arguments):
    global changes
    if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
        return
    if not str(arguments[0]).startswith(folder):
        return
    writes = os.O_WRONLY | os.O_RDWR
    if event == "open" and (str(arguments[1]).startswith("r") or (arguments[1] is None and not arguments[2] & writes)):
        return
    changes += 1
    if changes == at:
        os.kill(os.getpid(), 9)
from entityseg.cli.main import run
sys.addaudithook(hook)
code = run(sys.argv[3:])
print(changes)
sys.exit(code)
"""


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return the content of all files but the hidden ones in progress."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".part-") for part in path.parts)
    }


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize(
    ("name", "verify"),
    [
        ("coco-panoptic", ["data", "info", "{out}/out.json"]),
        ("parquet", ["data", "info", "{out}/out"]),
        ("semantic", ["data", "info", "{out}/out", "--from", "semantic"]),
        ("predictions idmap", ["predictions", "check", "{out}/maps"]),
    ],
)
def test_a_kill_never_leaves_what_is_taken_for_whole(
    name: str, verify: list[str], source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    command = [str(one) for one in commands(source, out)[name]]
    check = [one.format(out=out) for one in verify]

    def crash(at: int) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", CRASH, str(out), str(at), *command]
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=SECONDS)

    last = int(crash(0).stdout.split()[-1])
    whole = snapshot(out)
    for at in sorted({1, last, *random.Random(0).sample(range(2, last), 2), last - 3}):
        shutil.rmtree(out)
        out.mkdir()
        assert crash(at).returncode == -signal.SIGKILL
        left = snapshot(out)
        assert run(check) in ((0,) if left == whole else (1, 2))
        # What is whole is not written again; all else is.
        assert run(command) == (2 if left == whole else 0)
        assert snapshot(out) == whole
        assert run(check) == 0
    capsys.readouterr()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize(
    "command", [["data", "mini", "{out}"], ["demo", "--quick", "--bootstrap", "0", "--out", "{out}"]]
)
def test_a_kill_in_the_middle_of_mini_and_demo(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    line = [*(one.format(out=out) for one in command), "--scenes", "4"]
    killed = subprocess.Popen(
        [sys.executable, "-m", "entityseg.cli.main", *line],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(1.6)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    if command[0] == "data":
        # Either nothing, or all of it.
        assert not out.exists() or run(["data", "info", str(out), "--split", "val"]) == 0
    code = run(line)
    assert code == 0 or (command[0] == "data" and code == 2)
    made = out if command[0] == "data" else out / "mini"
    assert run(["data", "info", str(made), "--split", "val"]) == 0
    capsys.readouterr()
