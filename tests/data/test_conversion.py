from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entityseg.data import load
from entityseg.data.check import check_masks
from entityseg.data.compare import compare
from entityseg.data.content import examine
from entityseg.data.conversion import convert
from entityseg.data.formats import FORMATS, get_format
from entityseg.data.formats.base import Holds
from entityseg.data.loss import measure_loss
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.data.views import PaintedSource, checked_masks, paint_by_area
from entityseg.errors import EntitySegError, Findings, InputError, UsageError
from entityseg.masks import from_dense, from_polygons, to_dense, to_polygons

LOSSLESS = ["entity", "coco-instances", "entityseg-release", "coco-panoptic", "idmap", "parquet"]


def one_image(dense, categories=None, crowd=None, ids=None, extras=()) -> Dataset:
    n = len(dense)
    image = ImageRecord(1, "a.jpg", *np.shape(dense)[1:])
    annotated = AnnotatedImage(
        image,
        from_dense(np.asarray(dense, bool)),
        np.arange(1, n + 1) if ids is None else np.asarray(ids),
        np.ones(n, np.int64) if categories is None else np.asarray(categories),
        np.zeros(n, bool) if crowd is None else np.asarray(crowd, bool),
        extras,
    )
    return Dataset.build([annotated], [Category(1, "x", True), Category(2, "y", False)])


@pytest.mark.parametrize("first", LOSSLESS)
@pytest.mark.parametrize("second", LOSSLESS)
def test_any_reader_to_any_writer_loses_nothing(made, tmp_path, first, second):
    convert(made.dataset, tmp_path / "first", to=first)
    result = convert(tmp_path / "first", tmp_path / "second", from_=first, to=second)
    assert result.report["lossless"] is True
    assert result.loss is None
    assert compare(made.dataset, load(tmp_path / "second", format=second)).lines() == []


def test_report_beside_the_target(made, tmp_path):
    convert(made.dataset, tmp_path / "set", to="idmap")
    convert(tmp_path / "set", tmp_path / "b.json", to="entity")
    report = json.loads((tmp_path / "b.conversion.json").read_text())
    assert report["source"] == {
        "name": "index.json",
        "format": "idmap",
        "image_count": 4,
        "annotation_count": made.dataset.n_annotations,
        "category_count": 3,
    }
    assert report["target"]["format"] == "entity"
    assert (report["lossless"], report["lost"], report["masks"]) == (True, [], None)
    assert str(tmp_path) not in json.dumps(report)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.conversion.json", "b.json", "set"]


@pytest.mark.parametrize("to", LOSSLESS)
def test_bytes_do_not_depend_on_the_run(made, tmp_path, to):
    for name, threads in (("one", 1), ("two", 3)):
        convert(made.dataset, tmp_path / name, to=to, threads=threads)
    files = sorted(
        path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()
    )
    assert len(files) >= 2
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


HALVES = np.zeros((2, 6, 8), bool)
HALVES[0, :, :4], HALVES[1, :, 4:] = True, True
OVERLAPPING = np.zeros((2, 6, 8), bool)
OVERLAPPING[0], OVERLAPPING[1, 1:3, 2:5] = True, True
RING = np.ones((1, 6, 8), bool)
RING[0, 2, 3] = False


@pytest.mark.parametrize(
    ("dataset", "to", "options", "kind", "count"),
    [
        (one_image(OVERLAPPING), "coco-panoptic", {}, "overlap", 1),
        (one_image(OVERLAPPING), "idmap", {}, "overlap", 1),
        (one_image(OVERLAPPING), "entityseg-release", {"split": "panoptic_val"}, "overlap", 1),
        (one_image(np.zeros((1, 6, 8))), "coco-panoptic", {}, "empty_masks", 1),
        (one_image(HALVES, ids=[7, 2**24]), "coco-panoptic", {}, "ids", 1),
        (one_image(RING), "coco-instances", {"encoding": "polygons"}, "holes", 1),
        (one_image(HALVES), "semantic", {}, "same_class_apart", 1),
        (one_image(HALVES, [1, 2], [0, 1]), "semantic", {}, "crowd", 1),
        (one_image(HALVES, [1, 2], ids=[5, 9]), "semantic", {}, "ids", 2),
        (one_image(HALVES, [1, 2], extras=[{"a": 1}, {}]), "semantic", {}, "extras", 1),
    ],
)
def test_what_the_target_cannot_hold_is_refused(tmp_path, dataset, to, options, kind, count):
    with pytest.raises(UsageError) as error:
        convert(dataset, tmp_path / "set", to=to, options=options)
    [finding] = list(error.value.findings)
    assert finding.kind == f"convert.{kind}"
    assert str(count) in finding.message
    assert "image 1, annotation" in finding.record
    assert error.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []
    result = convert(dataset, tmp_path / "set", to=to, options=options, lossy=True)
    assert [(loss.kind, loss.count) for loss in result.losses] == [(kind, count)]
    assert result.report == json.loads((tmp_path / "set/conversion.json").read_text())


def test_all_kinds_of_loss_are_named_at_once(tmp_path):
    dataset = one_image(OVERLAPPING, crowd=[0, 1], extras=[{"a": 1}, {}], ids=[3, 2])
    with pytest.raises(UsageError) as error:
        convert(dataset, tmp_path / "set", to="semantic")
    assert [finding.kind for finding in error.value.findings] == [
        "convert.overlap",
        "convert.crowd",
        "convert.ids",
        "convert.extras",
        "convert.same_class_apart",
    ]


def test_overlap_is_painted_small_over_large(tmp_path):
    result = convert(one_image(OVERLAPPING), tmp_path / "set", to="coco-panoptic", lossy=True)
    dense = to_dense(load(tmp_path / "set").masks(0))
    assert np.array_equal(dense[1], OVERLAPPING[1])
    assert np.array_equal(dense[0], OVERLAPPING[0] & ~OVERLAPPING[1])
    masks = result.report["masks"]
    # 42 of 48 pixels are left of the first mask, which gets a hole.
    assert (masks["masks"], masks["exact"], masks["missing"]) == (2, 1, 0)
    assert masks["min_iou"] == 42 / 48
    assert masks["mean_iou"] == (1 + 42 / 48) / 2
    assert masks["changed_masks"] == [
        {"image_id": 1, "id": 1, "iou": 0.875, "holes": [0, 1], "components": [1, 1]}
    ]


def test_checked_masks_of_painted_ones_are_painted():
    overlapping = np.zeros((2, 4, 4), bool)
    overlapping[0], overlapping[1, :2] = True, True
    source = PaintedSource(one_image(overlapping).source)
    findings = Findings()
    assert checked_masks(source, 0, findings) == source.masks(0)
    assert source.masks(0).areas.tolist() == [8, 8] and not findings.errors


def test_masks_that_are_painted_over_are_counted(tmp_path):
    dense = np.zeros((3, 4, 4), bool)
    dense[0], dense[1, :2], dense[2, 2:] = True, True, True
    result = convert(one_image(dense), tmp_path / "set", to="coco-panoptic", lossy=True)
    assert load(tmp_path / "set").ids.tolist() == [2, 3]
    assert result.report["masks"]["missing"] == 1
    assert result.report["masks"]["min_iou"] == 0.0
    assert result.report["target"]["annotation_count"] == 2


def test_polygons_lose_holes_and_say_so(tmp_path):
    dense = np.ones((2, 6, 8), bool)
    dense[0, 1, 1] = dense[0, 3, 3] = False
    dense[1] = dense[0]
    dataset = one_image(dense, crowd=[0, 1])
    result = convert(
        dataset, tmp_path / "set", to="coco-instances", options={"encoding": "polygons"}, lossy=True
    )
    masks = result.report["masks"]
    # The crowd stays run-length encoded.
    assert (masks["exact"], masks["changed"], masks["holes_lost"]) == (1, 1, 2)
    assert masks["min_iou"] == 46 / 48


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.floats(0.2, 0.95))
def test_polygon_loss_is_found_exactly(seed, height, width, share):
    dense = np.random.default_rng(seed).random((3, height, width)) < share
    masks = from_dense(dense)
    again = from_polygons(to_polygons(masks), masks.size)
    changed = sum(not np.array_equal(masks.edges_of(k), again.edges_of(k)) for k in range(3))
    losses = examine(one_image(dense), Holds(holes=False))
    assert [(loss.kind, loss.count) for loss in losses] == ([("holes", changed)] if changed else [])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_painting_against_plain_arrays(seed, n):
    dense = np.random.default_rng(seed).random((n, 7, 6)) < 0.5
    masks = from_dense(dense)
    painted = to_dense(paint_by_area(masks))
    assert painted.sum(0).max(initial=0) <= 1
    assert np.array_equal(painted.any(0), dense.any(0))
    areas = dense.sum((1, 2))
    for y, x in zip(*np.nonzero(dense.any(0)), strict=True):
        winner = painted[:, y, x].argmax()
        assert areas[winner] == areas[dense[:, y, x]].min()
    assert paint_by_area(from_dense(dense[::-1]))[::-1] == paint_by_area(masks)


def test_loss_is_measured_by_hand():
    before = np.zeros((3, 4, 6), bool)
    before[0, :, :3], before[1, 0, 3:], before[2, 2, 3] = True, True, True
    after = before.copy()
    after[0, 0, 0] = False
    after[1, 0, 4] = False
    report = measure_loss(one_image(before), one_image(after[:2])).to_json()
    assert report["mean_iou"] == pytest.approx((11 / 12 + 2 / 3 + 0) / 3)
    assert (report["exact"], report["changed"], report["missing"]) == (0, 3, 1)
    assert report["masks_with_other_components"] == 2
    assert report["changed_masks"][1]["components"] == [1, 2]
    assert measure_loss(Dataset.build([], []), Dataset.build([], [])).to_json()["mean_iou"] is None


def test_loss_without_ids_goes_by_category_and_iou():
    before = one_image(HALVES, [1, 2], ids=[50, 60])
    after = one_image(HALVES[::-1], [2, 1])
    assert measure_loss(before, after, ids=False).changed == []
    swapped = one_image(HALVES, [2, 1])
    assert measure_loss(before, swapped, ids=False).missing == 2


def test_loss_table_is_bounded():
    report = measure_loss(one_image(np.ones((1200, 2, 2))), one_image(np.zeros((1200, 2, 2)))).to_json()
    assert len(report["changed_masks"]) == 1000
    assert report["changed_masks_not_listed"] == 200
    assert report["changed"] == 1200


def test_renumbering_is_an_option_and_keeps_the_ids(tmp_path):
    dataset = one_image(HALVES, ids=[2**40, 5])
    result = convert(dataset, tmp_path / "set", to="coco-panoptic", options={"renumber": True})
    assert result.report["lossless"] is True
    again = load(tmp_path / "set")
    assert [one["original_id"] for one in again.source.extras(0)] == [2**40, 5]
    lossy = convert(dataset, tmp_path / "lossy", to="coco-panoptic", lossy=True)
    assert lossy.report["masks"]["exact"] == 2


def test_panoptic_ids_that_repeat_become_segment_ids(made, tmp_path):
    images = [
        AnnotatedImage(
            one.image, one.masks, np.arange(1, len(one) + 1), one.category_ids, one.iscrowd, one.extras
        )
        for one in made.dataset
    ]
    panoptic = made.dataset.rebuild(images)
    convert(panoptic, tmp_path / "there", to="coco-panoptic")
    convert(tmp_path / "there", tmp_path / "entity", to="entity")
    assert len(set(load(tmp_path / "entity").ids.tolist())) == panoptic.n_annotations
    convert(tmp_path / "entity", tmp_path / "back", to="coco-panoptic")
    assert compare(panoptic, load(tmp_path / "back")).lines() == []


def test_coco_entity_forms(shared_data, tmp_path):
    source = shared_data / "coco_panoptic_sample" / "panoptic_examples.json"
    convert(source, tmp_path / "canonical", to="entity", coco_entity="canonical")
    assert load(tmp_path / "canonical").ids.tolist() == list(range(1, 51))
    result = convert(source, tmp_path / "compat.json", to="coco-instances", coco_entity="compat")
    assert result.report["target"]["mode"] == "compat"
    assert result.report["lossless"] is False
    assert load(tmp_path / "compat.json").ids.tolist() == list(range(47))
    for to, form, options in (
        ("semantic", "canonical", {}),
        ("parquet", "compat", {}),
        ("entity", "other", {}),
    ):
        with pytest.raises(UsageError, match="COCO-Entity"):
            convert(source, tmp_path / "no", to=to, coco_entity=form, options=options)


def test_options_are_checked_before_anything_is_done(made, tmp_path):
    with pytest.raises(UsageError, match="encoding"):
        convert(made.dataset, tmp_path / "set", to="entity", options={"encoding": "polygons"})
    with pytest.raises(UsageError, match="no dataset format"):
        convert(made.dataset, tmp_path / "set", to="coco")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", [*LOSSLESS, "semantic"])
def test_targets_are_not_replaced_unless_asked(made, tmp_path, to):
    dst = tmp_path / "set"
    convert(made.dataset, dst, to=to, lossy=True)
    with pytest.raises(UsageError, match="overwrite"):
        convert(made.dataset, dst, to=to, lossy=True)
    (dst / "stale.txt").write_text("x")
    convert(made.dataset, dst, to=to, lossy=True, overwrite=True)
    assert not (dst / "stale.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


def test_folders_that_no_conversion_made_are_never_replaced(made, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="no conversion made it"):
        convert(made.dataset, tmp_path / "home", to="idmap", overwrite=True)
    assert (tmp_path / "home/thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("report", [False, True])
def test_a_folder_of_images_of_the_same_name_is_never_replaced(made, tmp_path, report):
    dst = tmp_path / "val.json"
    convert(made.dataset, dst, to="entity")
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "1.png").write_bytes(b"picture")
    if not report:
        (tmp_path / "val.conversion.json").unlink()
    with pytest.raises(UsageError, match="no conversion made it"):
        convert(made.dataset, dst, to="coco-panoptic", overwrite=True)
    assert (tmp_path / "val" / "1.png").read_bytes() == b"picture"
    assert load(dst).n_annotations == made.dataset.n_annotations


def test_images_that_were_put_beside_the_pngs_are_kept(made, tmp_path):
    convert(made.dataset, tmp_path / "val.json", to="coco-panoptic")
    (tmp_path / "val" / "1.jpg").write_bytes(b"picture")
    with pytest.raises(UsageError, match="no conversion made it"):
        convert(made.dataset, tmp_path / "val.json", to="coco-panoptic", overwrite=True)
    assert (tmp_path / "val" / "1.jpg").read_bytes() == b"picture"


@pytest.mark.parametrize("overwrite", [False, True])
def test_maps_of_another_file_are_never_replaced(tmp_path, overwrite):
    maps = tmp_path / "panoptic_maps_val"
    maps.mkdir()
    (maps / "1.png").write_bytes(b"map")
    options = {"split": "panoptic_val"}
    with pytest.raises(UsageError, match="folder for the PNGs is there"):
        convert(
            one_image(HALVES),
            tmp_path / "a.json",
            to="entityseg-release",
            options=options,
            overwrite=overwrite,
        )
    assert [path.name for path in maps.iterdir()] == ["1.png"]
    maps.joinpath("1.png").unlink()
    maps.rmdir()
    maps.write_bytes(b"a file")
    with pytest.raises(UsageError, match="is a file"):
        convert(one_image(HALVES), tmp_path / "a.json", to="entityseg-release", options=options)
    assert [path.name for path in tmp_path.iterdir()] == ["panoptic_maps_val"]


def test_release_panoptic_ids_are_numbered_anew_where_that_is_allowed(tmp_path):
    dataset = one_image(HALVES, ids=[900100000001, 2])
    options = {"split": "panoptic_val"}
    with pytest.raises(UsageError, match="ids cannot be kept"):
        convert(dataset, tmp_path / "set", to="entityseg-release", options=options)
    done = convert(dataset, tmp_path / "set", to="entityseg-release", options=options, lossy=True)
    assert done.loss is not None and done.loss.changed == []
    assert load(tmp_path / "set").ids.tolist() == [1, 2]


def test_a_source_is_not_replaced_by_itself(made, tmp_path):
    convert(made.dataset, tmp_path / "set", to="idmap")
    for dst in (tmp_path / "set", tmp_path):
        with pytest.raises(UsageError, match="source lies in the target"):
            convert(tmp_path / "set", dst, to="parquet", overwrite=True)


@pytest.mark.parametrize("to", ["entity", "coco-panoptic"])
def test_files_are_replaced_with_what_belongs_to_them(made, tmp_path, to):
    dst = tmp_path / "a.json"
    (tmp_path / "mine.txt").write_text("x")
    convert(made.dataset, dst, to=to)
    with pytest.raises(UsageError, match="overwrite"):
        convert(made.dataset, dst, to=to)
    convert(one_image(HALVES), dst, to=to, overwrite=True)
    assert load(dst).n_annotations == 2
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"mine.txt", "a.json", "a.conversion.json"} | ({"a"} if to == "coco-panoptic" else set())


def test_malformed_source_is_said_with_all_that_is_wrong(made, tmp_path):
    convert(made.dataset, tmp_path / "a.json", to="entity")
    top = json.loads((tmp_path / "a.json").read_text())
    for k in (0, 3):
        top["annotations"][k]["segmentation"]["counts"] += "Z"
    (tmp_path / "a.json").write_text(json.dumps(top))
    with pytest.raises(InputError) as error:
        convert(tmp_path / "a.json", tmp_path / "set", to="idmap")
    assert [finding.record for finding in error.value.findings] == ["annotations[0]", "annotations[3]"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.conversion.json", "a.json"]


@pytest.mark.parametrize("name", ["LICENSE", "licence.txt", "COPYING"])
def test_licence_of_the_source_is_carried_on_and_on(made, tmp_path, name):
    folder = tmp_path / "source" / "annotations" / "panoptic_segmentation"
    convert(made.dataset, folder / "a.json", to="entity")
    (tmp_path / "source" / name).write_text("only for penguins\n")
    (tmp_path / "LICENSE").write_text("of something else\n")
    convert(folder / "a.json", tmp_path / "one", to="idmap")
    result = convert(tmp_path / "one", tmp_path / "two.json", to="entity")
    assert (tmp_path / "one/LICENSE-SOURCE.txt").read_text() == "only for penguins\n"
    assert (tmp_path / "two.LICENSE-SOURCE.txt").read_text() == "only for penguins\n"
    convert(tmp_path / "two.json", tmp_path / "three", to="parquet")
    assert (tmp_path / "three/LICENSE-SOURCE.txt").read_text() == "only for penguins\n"
    assert result.report["licence"]["origin"] == "file"
    assert json.loads((tmp_path / "two.json").read_text())["licenses"] == [{"id": 2, "name": "CC BY"}]


def test_annotations_of_licence_plates_are_no_licence(made, tmp_path):
    convert(made.dataset, tmp_path / "license_plates.json", to="entity")
    (tmp_path / "license_1.png").write_bytes(b"picture")
    assert convert(tmp_path / "license_plates.json", tmp_path / "set", to="idmap").report["licence"] is None


def test_entityseg_without_a_licence_file_gets_a_note(made, tmp_path):
    bare = Dataset.build(list(made.dataset), made.dataset.categories)
    convert(bare, tmp_path / "tree", to="entityseg-release", options={"split": "val"})
    assert not (tmp_path / "tree/LICENSE-SOURCE.txt").exists()
    result = convert(tmp_path / "tree", tmp_path / "set", from_="entityseg-release", to="parquet")
    note = (tmp_path / "set/LICENSE-SOURCE.txt").read_text()
    assert "Adobe Research License" in note
    assert "rights stay with each image's owner" in note
    assert result.report["licence"]["origin"] == "note"


CHILD = """
import os, sys
from pathlib import Path
import numpy as np
from entityseg.data.conversion import convert
from entityseg.data import records
from entityseg.errors import EntitySegError

source, target, to, die_at, limit = sys.argv[1:]
if int(limit):
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
seen = 0
get = records.Dataset.__getitem__
def dying(self, index):
    global seen
    seen += 1
    if seen > int(die_at) >= 0:
        os._exit(9)
    return get(self, index)
records.Dataset.__getitem__ = dying
try:
    convert(source, target, to=to, threads=1)
except EntitySegError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def in_child(source: Path, target: Path, to: str, *, die_at: int = -1, limit: int = 0):
    command = [sys.executable, "-c", CHILD, str(source), str(target), to, str(die_at), str(limit)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("to", LOSSLESS)
@pytest.mark.parametrize("suffix", ["", ".json"])
def test_a_killed_conversion_leaves_nothing_that_looks_whole(make_dataset, tmp_path, to, suffix):
    if suffix and to in ("parquet", "idmap"):
        pytest.skip("these formats are folders")
    dataset = make_dataset(6).dataset
    source = tmp_path / "source.json"
    convert(dataset, source, to="entity")
    target = tmp_path / "out" / f"set{suffix}"
    die_at = int(np.random.default_rng(len(to)).integers(1, 6))
    assert in_child(source, target, to, die_at=die_at).returncode == 9
    assert not target.exists()
    assert [path for path in (tmp_path / "out").iterdir() if not path.name.startswith(".part-")] == []
    # The next run cleans up and ends well.
    convert(source, target, to=to)
    assert compare(dataset, load(target, format=to)).lines() == []
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".part-")] == []


@pytest.mark.parametrize("to", LOSSLESS)
@pytest.mark.parametrize("suffix", ["", ".json"])
def test_a_full_disk_is_said_and_leaves_nothing(make_dataset, tmp_path, to, suffix):
    if suffix and to in ("parquet", "idmap"):
        pytest.skip("these formats are folders")
    rng = np.random.default_rng(0)
    noise = from_dense(rng.random((1, 300, 400)) < 0.5)
    none = np.zeros(1, bool)
    image = AnnotatedImage(ImageRecord(9, "n.jpg", 300, 400), noise, np.array([999]), np.array([3]), none)
    dataset = make_dataset(3).dataset
    source = tmp_path / "source.json"
    convert(dataset.rebuild([*dataset, image]), source, to="entity")
    target = tmp_path / "out" / f"set{suffix}"
    done = in_child(source, target, to, limit=9000)
    assert done.returncode == 1, done.stderr
    assert "target.write" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_said(made, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(EntitySegError, match="cannot be written"):
        convert(made.dataset, locked / "set", to="idmap")


def test_check_masks_counts_empty_and_other_areas():
    dense = np.zeros((2, 3, 3), bool)
    dense[1, 0, 0] = True
    dataset = one_image(dense)
    import dataclasses

    stated = dataclasses.replace(dataset, file_areas=np.array([np.nan, 5.0]))
    findings = check_masks(stated)
    assert [(one.kind, one.record) for one in findings] == [
        ("mask.empty", "image 1, annotation 1"),
        ("area.differs", "image 1, annotation 2"),
    ]
    assert findings.errors == 0


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda one: {"ids": one.ids + 100}, "annotation.lost"),
        (lambda one: {"category_ids": one.category_ids[::-1]}, "annotation.category"),
        (lambda one: {"iscrowd": ~one.iscrowd}, "annotation.crowd"),
        (lambda one: {"extras": [{"attribute": "b"}] * len(one)}, "annotation.extras"),
        (lambda one: {"masks": one.masks[::-1]}, "mask.differs"),
        (lambda one: {"image": ImageRecord(one.image.id, "other.jpg", *one.image.size)}, "image.differs"),
        (lambda one: {"image": ImageRecord("new", "n.jpg", *one.image.size)}, "image.lost"),
    ],
)
def test_compare_finds_every_change(made, change, kind):
    import dataclasses

    images = list(made.dataset)
    images[1] = dataclasses.replace(images[1], **change(images[1]))
    findings = compare(made.dataset, made.dataset.rebuild(images))
    assert kind in {finding.kind for finding in findings}
    assert compare(made.dataset, made.dataset.rebuild(list(made.dataset))).lines() == []


def test_compare_finds_changed_categories_and_info(made):
    renamed = made.dataset.rebuild(list(made.dataset), [Category(3, "p", True), *made.dataset.categories[1:]])
    assert [one.kind for one in compare(made.dataset, renamed)] == ["category.differs"]
    import dataclasses

    other = dataclasses.replace(made.dataset, info={})
    assert [one.kind for one in compare(made.dataset, other)] == ["info.differs"]


def test_every_format_says_what_it_holds():
    for name in FORMATS:
        assert get_format(name).name == name
        assert isinstance(get_format(name).holds, Holds)


@pytest.mark.parametrize("name", ["set", "set.json"])
def test_a_failed_replacement_keeps_what_was_there(made, tmp_path, name):
    dst = tmp_path / name
    convert(made.dataset, dst, to="coco-panoptic")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    stranger = Dataset.build(list(made.dataset), [Category(77, "x")])
    with pytest.raises(InputError, match="does not list"):
        convert(stranger, dst, to="coco-panoptic", overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
