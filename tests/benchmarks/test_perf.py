"""The speed benchmark's own honesty: its files are valid, repeatable and what they say, its tables add up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from entityseg.benchmarks.perf import ap, panoptic, peers, rle, timing
from entityseg.benchmarks.perf.__main__ import main
from entityseg.benchmarks.perf.generate import ENTITIES, generate
from entityseg.benchmarks.perf.peers import NAMES, with_boxes

# pycocotools 2.0.11 with numpy 2: its decoder's `__array__` has no `copy` parameter.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

IMAGES, TIMES, PREDICTIONS = 3, 2, 12


def _make(folder: Path, seed: int = 0) -> list[Path]:
    return generate(folder, IMAGES, [TIMES], seed, long_sides=(120, 260), predictions=PREDICTIONS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return _make(tmp_path_factory.mktemp("perf"))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="ascii"))


def _coverage(records: list[dict[str, Any]]) -> dict[int, np.ndarray]:
    """How many masks lie on each pixel, by image, from pycocotools' decoder."""
    found: dict[int, np.ndarray] = {}
    for record in records:
        pixels = coco_mask.decode(record["segmentation"]).astype(np.int64)
        found[record["image_id"]] = found.get(record["image_id"], 0) + pixels
    return found


def test_the_ground_truth_is_valid_and_covers_every_pixel_once(folders: list[Path]) -> None:
    truth = _read(folders[0] / "gt.json")
    images = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
    assert list(images) == [1, 2, 3]
    assert [a["id"] for a in truth["annotations"]] == list(range(1, len(truth["annotations"]) + 1))
    for annotation in truth["annotations"]:
        segmentation = annotation["segmentation"]
        assert tuple(segmentation["size"]) == images[annotation["image_id"]]
        assert annotation["area"] == coco_mask.area(segmentation) == coco_mask.decode(segmentation).sum() > 0
        assert annotation["bbox"] == coco_mask.toBbox(segmentation).tolist()
        assert (annotation["iscrowd"], annotation["category_id"]) == (0, 1)
    counts = _coverage(truth["annotations"])
    assert set(counts) == set(images)
    assert all((pixels == 1).all() for pixels in counts.values())
    per_image = Counter(a["image_id"] for a in truth["annotations"])
    assert all(1 < count <= ENTITIES[1] for count in per_image.values())


def test_pycocotools_loads_both_prediction_files(folders: list[Path]) -> None:
    truth = COCO(str(folders[0] / "gt.json"))
    for name in ("dt_over.json", "dt_non.json"):
        assert set(truth.loadRes(str(folders[0] / name)).getImgIds()) == {1, 2, 3}
        for record in _read(folders[0] / name):
            assert list(record) == ["image_id", "category_id", "segmentation", "score"]
            assert 0 < record["score"] < 1


def test_one_variant_overlaps_and_the_other_is_what_stays_visible_of_it(folders: list[Path]) -> None:
    over, non = (_read(folders[0] / name) for name in ("dt_over.json", "dt_non.json"))
    assert Counter(record["image_id"] for record in over) == {1: PREDICTIONS, 2: PREDICTIONS, 3: PREDICTIONS}
    for image in (1, 2, 3):
        mine = sorted((r for r in over if r["image_id"] == image), key=lambda r: -r["score"])
        assert _coverage(mine)[image].max() > 1
        expected, taken = [], np.zeros(mine[0]["segmentation"]["size"], dtype=bool)
        for record in mine:
            pixels = coco_mask.decode(record["segmentation"]).astype(bool)
            if (pixels & ~taken).any():
                expected.append((record["score"], pixels & ~taken))
            taken |= pixels
        got = [r for r in non if r["image_id"] == image]
        assert [r["score"] for r in got] == [score for score, _ in expected]
        for record, (_, pixels) in zip(got, expected, strict=True):
            np.testing.assert_array_equal(coco_mask.decode(record["segmentation"]), pixels)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    folders: list[Path], tmp_path: Path
) -> None:
    again, other = _make(tmp_path / "again"), _make(tmp_path / "other", seed=1)
    for folder, copy, different in zip(folders, again, other, strict=True):
        for name in ("gt.json", "dt_over.json", "dt_non.json"):
            assert (folder / name).read_bytes() == (copy / name).read_bytes()
            assert (folder / name).read_bytes() != (different / name).read_bytes()


def test_replicas_hold_the_same_masks_under_new_ids(folders: list[Path]) -> None:
    small, large = folders
    assert (small.name, large.name) == (str(IMAGES), str(IMAGES * TIMES))
    one, two = _read(small / "gt.json"), _read(large / "gt.json")
    assert [i["id"] for i in two["images"]] == list(range(1, IMAGES * TIMES + 1))
    assert len({i["file_name"] for i in two["images"]}) == IMAGES * TIMES
    assert [a["id"] for a in two["annotations"]] == list(range(1, TIMES * len(one["annotations"]) + 1))
    pairs = [(one["annotations"], two["annotations"])]
    pairs += [(_read(small / name), _read(large / name)) for name in ("dt_over.json", "dt_non.json")]
    for first, second in pairs:
        assert len(second) == TIMES * len(first)
        for k, record in enumerate(second):
            source = first[k % len(first)]
            assert record["segmentation"] == source["segmentation"]
            assert record.get("score") == source.get("score")
            assert record["image_id"] == source["image_id"] + IMAGES * (k // len(first))


def test_counts_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        generate(tmp_path, images=0)
    with pytest.raises(ValueError, match="at least 1"):
        generate(tmp_path, images=1, replicas=[0])


def test_vernier_gets_boxes_and_the_others_do_not(folders: list[Path]) -> None:
    source = folders[0] / "dt_over.json"
    before = source.read_bytes()
    boxed = _read(with_boxes(source))
    assert source.read_bytes() == before
    for plain, record in zip(_read(source), boxed, strict=True):
        assert record.pop("bbox") == coco_mask.toBbox(plain["segmentation"]).tolist()
        assert record == plain


def test_peers_are_measured_in_their_own_processes_and_agree(folders: list[Path]) -> None:
    report = ap.compare(folders[0], ["pycocotools"], ["non"], threads=1, repeat=1)
    row = report["variants"]["non"]["pycocotools"]
    assert 0 < row["wall"] < 60
    assert 0 < row["base"] <= row["peak"]
    assert 0 < row["figures"]["AP"] < row["figures"]["AP50"] < 1
    text = ap.table(report)
    assert "non-overlapping, threads: 1, median of 1" in text
    assert "differs" not in text


@pytest.mark.parametrize(
    ("tool", "figure", "by", "refused"),
    [
        ("hotcoco", "AP", 1e-6, True),
        ("hotcoco", "AP", 1e-12, False),
        ("vernier", "APs", 0.1, False),
        ("vernier", "AP75", 1e-6, True),
        ("ours", "AP", 1e-3, False),
        ("ours", "AP", 0.1, True),
        ("ours-compat", "AP", 1e-6, True),
    ],
)
def test_a_figure_that_differs_from_pycocotools_is_refused_or_told(
    tool: str, figure: str, by: float, refused: bool
) -> None:
    rows = {name: {"figures": dict.fromkeys(NAMES, 0.5)} for name in ("pycocotools", tool)}
    rows[tool]["figures"][figure] += by
    if refused:
        with pytest.raises(RuntimeError, match=f"{tool}: {figure}"):
            ap.disagreement(rows)
    else:
        told = ap.disagreement(rows)[tool]["differ"]
        assert told == ({figure: pytest.approx(by)} if by > ap.TOLERANCE else {})


def test_the_plain_panoptic_loop_is_its_own_inverse(tmp_path: Path) -> None:
    labels = np.zeros((7, 9), np.uint8)
    labels[:, 4:] = 1
    labels[2:5, 3:6] = 2
    ids = [5, 70_000, 16_777_215]
    rles = [coco_mask.encode(np.asfortranarray((labels == k).astype(np.uint8))) for k in range(3)]
    panoptic.loop_to_png(tmp_path / "a.png", ids, rles)
    assert panoptic.loop_from_png(tmp_path / "a.png") == (ids, rles)
    with pytest.raises(ValueError, match="overlap"):
        panoptic.loop_to_png(tmp_path / "b.png", ids[:2], [rles[0], rles[0]])


def test_rle_peers_agree_on_a_small_image(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HEIGHT": 90, "WIDTH": 120, "ENTITIES": 5, "PREDICTIONS": 8}.items():
        monkeypatch.setattr(rle, name, value)
    report = rle.compare(("pycocotools", "rlemasklib"), repeat=1)
    assert set(report["IoU from strings"]) == {"pycocotools", "rlemasklib"}
    assert set(report["IoU parsed"]) == {"rlemasklib"}
    assert "rlemasklib" in rle.table(report)


def test_turns_alternate_and_the_warm_up_is_not_counted() -> None:
    seen: list[str] = []
    seconds = timing.alternated({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, 2)
    assert "".join(seen) == "ab" + "ab" + "ba"
    assert set(seconds) == {"a", "b"}


def test_peers_that_are_not_installed_are_named_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = peers.Tool(lambda threads: pytest.fail("it is not there"), "no-such-peer")
    monkeypatch.setitem(peers.TOOLS, "hotcoco", tool)
    assert main(["ap", str(tmp_path), "--tools", "ours,hotcoco"]) == 1
    shown = capsys.readouterr().err
    assert "not installed: no-such-peer" in shown and "'.[perf]'" in shown and "Traceback" not in shown


def test_the_command_line_makes_files_and_explains_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ap", str(tmp_path), "--tools", "nobody"]) == 1
    assert "unknown tool 'nobody'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["generate", str(tmp_path), "--images", "0"])
    assert stop.value.code == 2
