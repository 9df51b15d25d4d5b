"""Reading and writing the three formats: nothing is lost, what cannot be held is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from entityseg.data.records import Dataset, ImageRecord
from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, from_dense, from_id_map, to_dense
from entityseg.predictions import FORMATS, Predictions, find_format, read_predictions, write_predictions
from entityseg.predictions.images import stand_in

NAMES = {"coco": "p.json", "jsonl": "p.jsonl", "idmap": "maps"}


def same(a: Predictions, b: Predictions) -> None:
    assert [image.id for image in a.images] == [image.id for image in b.images]
    assert a.offsets.tolist() == b.offsets.tolist()
    assert a.scores.tolist() == b.scores.tolist()
    for index in range(len(a)):
        assert a.masks(index) == b.masks(index)


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip_keeps_masks_and_scores_exactly(
    name: str, disjoint: Predictions, gt: Dataset, tmp_path: Path
) -> None:
    target = tmp_path / NAMES[name]
    write_predictions(disjoint, target, format=name, lossy=True)
    assert find_format(target) == name
    read = read_predictions(target, gt)
    same(read, disjoint)
    assert read.scores.tolist()[1] == 0.1 + 0.2
    # COCO results cannot say that nothing was found; the others do.
    assert read.listed.tolist() == [True, name != "coco", True]
    assert not len(read.warnings)


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_are_the_same_each_time(name: str, disjoint: Predictions, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        threads = 1 if folder == "one" else 2
        write_predictions(disjoint, tmp_path / folder / NAMES[name], format=name, lossy=True, threads=threads)
    written = [
        {
            str(file.relative_to(tmp_path / folder)): file.read_bytes()
            for file in (tmp_path / folder).rglob("*.*")
        }
        for folder in ("one", "two")
    ]
    assert written[0] == written[1]
    assert written[0]


@st.composite
def id_maps(draw: st.DrawFn) -> list[np.ndarray]:
    count = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [rng.integers(0, rng.integers(1, 9), rng.integers(1, 9, 2)) for _ in range(count)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(maps=id_maps(), data=st.data(), via=st.permutations(FORMATS))
def test_any_chain_of_formats_loses_nothing(
    maps: list[np.ndarray], data: st.DataObject, via: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("chain")
    images = [ImageRecord(3 * i + 1, f"image {i}.jpg", *map_.shape) for i, map_ in enumerate(maps)]
    drawn = []
    for map_ in maps:
        masks = from_id_map(map_)[1]
        scores = data.draw(
            st.lists(
                st.floats(allow_nan=False, allow_infinity=False), min_size=len(masks), max_size=len(masks)
            )
        )
        drawn.append((masks, scores))
    start = Predictions.build(images, drawn)
    current, truth = start, stand_in(images)
    for step, name in enumerate(via):
        target = folder / f"{step}-{NAMES[name]}"
        write_predictions(current, target, format=name)
        current = read_predictions(target, truth)
        same(current, start)


def test_pycocotools_reads_what_is_written(disjoint: Predictions, tmp_path: Path) -> None:
    write_predictions(disjoint, tmp_path / "p.json", format="coco", lossy=True)
    records = json.loads((tmp_path / "p.json").read_text())
    assert [(r["image_id"], r["category_id"], r["score"]) for r in records] == [
        (7, 1, 0.9), (7, 1, 0.1 + 0.2), (5, 1, 1e-300),
    ]  # fmt: skip
    assert coco_mask.area([r["segmentation"] for r in records]).tolist() == [108, 120, 24]


def test_jsonl_is_one_line_an_image(disjoint: Predictions, tmp_path: Path) -> None:
    write_predictions(disjoint, tmp_path / "p.jsonl", format="jsonl")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [(line["image_id"], line["size"], len(line["segments"])) for line in lines] == [
        (7, [12, 20], 2), (11, [12, 20], 0), (5, [6, 8], 1),
    ]  # fmt: skip
    assert set(lines[0]["segments"][0]) == {"counts", "score"}


def test_categories_survive_in_json_formats(disjoint: Predictions, gt: Dataset, tmp_path: Path) -> None:
    classed = replace(disjoint, category_ids=np.array([4, 1, 9]))
    for name in ("coco", "jsonl"):
        write_predictions(classed, tmp_path / NAMES[name], format=name, lossy=True)
        assert read_predictions(tmp_path / NAMES[name], gt).category_ids.tolist() == [4, 1, 9]
    with pytest.raises(UsageError, match=r"target\.category"):
        write_predictions(classed, tmp_path / "maps", format="idmap")
    write_predictions(classed, tmp_path / "maps", format="idmap", lossy=True)


@pytest.mark.parametrize("name", ["coco", "jsonl"])
def test_without_ground_truth_images_come_from_the_file(
    name: str, disjoint: Predictions, tmp_path: Path
) -> None:
    write_predictions(disjoint, tmp_path / "p", format=name, lossy=True)
    read = read_predictions(tmp_path / "p", None, format=name)
    named = [7, 5] if name == "coco" else [7, 11, 5]
    assert [image.id for image in read.images] == named
    assert read.images[0].size == (12, 20)
    assert read.images[-1].size == (6, 8)
    assert read.scores.tolist() == disjoint.scores.tolist()
    assert read.masks(len(named) - 1) == disjoint.masks(2)


def test_id_maps_named_by_id_need_no_ground_truth(disjoint: Predictions, tmp_path: Path) -> None:
    bare = replace(
        disjoint, images=tuple(replace(image, file_name=str(image.id)) for image in disjoint.images)
    )
    write_predictions(bare, tmp_path / "maps", format="idmap")
    assert sorted(file.name for file in (tmp_path / "maps").iterdir()) == [
        "11.png", "5.png", "7.png", "scores.json",
    ]  # fmt: skip
    same(read_predictions(tmp_path / "maps", None), bare)


@pytest.mark.parametrize("ids", [["007", "7", "-5"], [-5, 0, 2**40], ["a.jpg", "b/c.jpg", "d.e"]])
def test_ids_of_any_kind_come_back_from_id_maps(
    ids: list[int | str], disjoint: Predictions, tmp_path: Path
) -> None:
    images = [
        replace(image, id=one, file_name=str(one)) for one, image in zip(ids, disjoint.images, strict=True)
    ]
    # Those that are written like integers are taken for such.
    read = [int(one) if one in ("7", "-5") else one for one in ids]
    write_predictions(replace(disjoint, images=tuple(images)), tmp_path / "maps", format="idmap")
    back = read_predictions(tmp_path / "maps", None)
    assert [image.id for image in back.images] == read
    same(back, replace(disjoint, images=back.images))


def test_id_maps_refuse_ids_that_are_written_alike(disjoint: Predictions, tmp_path: Path) -> None:
    ids: list[int | str] = [7, "7", 8]
    images = [
        replace(image, id=one, file_name=str(one)) for one, image in zip(ids, disjoint.images, strict=True)
    ]
    with pytest.raises(UsageError, match=r"target\.name"):
        write_predictions(replace(disjoint, images=tuple(images)), tmp_path / "maps", format="idmap")
    assert not (tmp_path / "maps").exists()


def test_id_maps_are_found_by_id_where_stems_repeat(disjoint: Predictions, tmp_path: Path) -> None:
    names = ["x/a.jpg", "y/a.jpg", "c.jpg"]
    images = tuple(replace(image, file_name=name) for image, name in zip(disjoint.images, names, strict=True))
    renamed = replace(disjoint, images=images)
    write_predictions(renamed, tmp_path / "maps", format="idmap")
    same(read_predictions(tmp_path / "maps", stand_in(images)), renamed)


def test_grey_and_rgb_maps_of_others_are_read(gt: Dataset, tmp_path: Path) -> None:
    grey = np.zeros((12, 20), np.uint16)
    grey[:, :4], grey[:, 10:] = 300, 65535
    Image.fromarray(grey).save(tmp_path / "a.png")
    rgb = np.zeros((12, 20, 3), np.uint8)
    rgb[2:6, 2:9] = (1, 2, 3)
    Image.fromarray(rgb).save(tmp_path / "11.png")
    scores = {"7": {"65535": 0.25, "300": 0.75}, "11": {str(1 + 2 * 256 + 3 * 65536): 1}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    read = read_predictions(tmp_path, gt)
    assert read.scores.tolist() == [0.75, 0.25, 1.0]
    assert np.array_equal(to_dense(read.masks(0)), [grey == 300, grey == 65535])
    assert np.array_equal(to_dense(read.masks(1)), [rgb[..., 0] == 1])
    assert read.listed.tolist() == [True, True, False]


def test_uncompressed_counts_polygons_and_wrapped_lists_are_read(gt: Dataset, tmp_path: Path) -> None:
    square = np.zeros((6, 8), bool)
    square[1:4, 2:6] = True
    counts = [13, 3, 3, 3, 3, 3, 3, 3, 14]
    polygon = [[2, 1, 6, 1, 6, 4, 2, 4]]
    records = [
        {"image_id": 5, "segmentation": {"size": [6, 8], "counts": counts}, "score": 0.5},
        {"image_id": 5, "segmentation": polygon, "score": 1},
    ]
    (tmp_path / "p.json").write_text(json.dumps({"annotations": records}))
    read = read_predictions(tmp_path / "p.json", gt)
    assert np.array_equal(to_dense(read.masks(2)), [square, square])
    line = {"image_id": 5, "size": [6, 8], "segments": [{"counts": counts, "score": 0.5}]}
    (tmp_path / "p.jsonl").write_text(json.dumps(line))
    assert np.array_equal(to_dense(read_predictions(tmp_path / "p.jsonl", gt).masks(2)), [square])


def test_escaped_strings_are_read_like_plain_ones(gt: Dataset, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    noise = from_dense(rng.random((4, 12, 20)) < 0.5)
    start = Predictions.build(gt.images[:1], [(noise, [0.1, 0.2, 0.3, 0.4])])
    write_predictions(start, tmp_path / "p.json", format="coco")
    text = (tmp_path / "p.json").read_text()
    other = text
    for character in "15N":
        # Inside strings only: every counts string begins behind this key.
        head, *rest = other.split('"counts":"')
        other = head + "".join(
            '"counts":"'
            + part.split('"')[0].replace(character, f"\\u{ord(character):04x}")
            + '"'
            + part.split('"', 1)[1]
            for part in rest
        )
    assert other != text
    (tmp_path / "e.json").write_text(other)
    same(read_predictions(tmp_path / "e.json", stand_in(gt.images[:1])), start)


def test_byte_order_mark_and_windows_lines_are_accepted_with_a_warning(
    disjoint: Predictions, gt: Dataset, tmp_path: Path
) -> None:
    write_predictions(disjoint, tmp_path / "p.jsonl", format="jsonl")
    data = (tmp_path / "p.jsonl").read_bytes()
    (tmp_path / "p.jsonl").write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n") + b"\r\n\n")
    read = read_predictions(tmp_path / "p.jsonl", gt)
    same(read, disjoint)
    assert [finding.kind for finding in read.warnings] == ["jsonl.bom", "jsonl.crlf"]
    write_predictions(disjoint, tmp_path / "p.json", format="coco", lossy=True)
    (tmp_path / "p.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "p.json").read_bytes())
    assert read_predictions(tmp_path / "p.json", gt).scores.tolist() == disjoint.scores.tolist()


def test_overlap_is_refused_by_id_maps_and_nothing_is_left(overlapping: Predictions, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_predictions(overlapping, tmp_path / "maps", format="idmap")
    finding = next(iter(caught.value.findings))
    assert (finding.kind, finding.record) == ("target.overlap", "image 7")
    assert "predictions resolve" in finding.remedy
    assert list(tmp_path.iterdir()) == []


def test_empty_masks_are_refused_by_id_maps_unless_lossy(gt: Dataset, tmp_path: Path) -> None:
    masks = RunLengths((6, 8), [0, 4], [0, 2, 2])
    start = Predictions.build(gt.images[2:], [(masks, [0.5, 0.6])])
    with pytest.raises(UsageError, match=r"target\.empty_mask"):
        write_predictions(start, tmp_path / "maps", format="idmap")
    write_predictions(start, tmp_path / "maps", format="idmap", lossy=True)
    assert read_predictions(tmp_path / "maps", stand_in(gt.images[2:])).scores.tolist() == [0.5]


def test_nothing_found_is_refused_by_coco_unless_lossy(disjoint: Predictions, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"target\.empty_image"):
        write_predictions(disjoint, tmp_path / "p.json", format="coco")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_there_is_kept_unless_overwrite(
    name: str, disjoint: Predictions, gt: Dataset, tmp_path: Path
) -> None:
    target = tmp_path / NAMES[name]
    write_predictions(disjoint, target, format=name, lossy=True)
    with pytest.raises(UsageError, match=r"target\.exists"):
        write_predictions(disjoint, target, format=name, lossy=True)
    write_predictions(disjoint, target, format=name, lossy=True, overwrite=True)
    same(read_predictions(target, gt), disjoint)


@pytest.mark.parametrize("name", FORMATS)
def test_a_write_that_fails_leaves_nothing(name: str, disjoint: Predictions, tmp_path: Path) -> None:
    class Broken:
        def masks(self, index: int) -> RunLengths:
            if index == 2:
                raise OSError(28, "No space left on device")
            return disjoint.masks(index)

        def extras(self, index: int) -> list[dict[str, object]]:
            return []

    with pytest.raises(OSError, match="No space left"):
        write_predictions(
            replace(disjoint, source=Broken()), tmp_path / NAMES[name], format=name, lossy=name == "coco"
        )
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_and_folder_target(disjoint: Predictions, gt: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"format\.unknown"):
        write_predictions(disjoint, tmp_path / "p", format="yolo")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"format\.unknown"):
        read_predictions(tmp_path, gt, format="yolo")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"target\.folder"):
        write_predictions(disjoint, tmp_path, format="jsonl")
    with pytest.raises(InputError, match=r"file\.missing"):
        read_predictions(tmp_path / "none.json", gt)


def test_id_maps_of_one_stem_are_refused(gt: Dataset, disjoint: Predictions, tmp_path: Path) -> None:
    write_predictions(disjoint, tmp_path / "maps", format="idmap")
    (tmp_path / "maps" / "a.PNG").write_bytes((tmp_path / "maps" / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"map\.duplicate"):
        read_predictions(tmp_path / "maps", gt)
