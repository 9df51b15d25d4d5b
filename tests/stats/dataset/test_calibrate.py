from __future__ import annotations

import math

import numpy as np
import pytest

from entityseg.data import load
from entityseg.data.records import Category, Dataset
from entityseg.errors import UsageError
from entityseg.stats import DatasetChoices, ShapeChoices, compute, table1_row
from entityseg.stats.dataset.calibrate import Target, calibrate, published_target
from entityseg.stats.dataset.compute import open_dataset


def test_agrees_with_compute_on_the_sample(shared_data, tmp_path):
    """Every row is what `compute` says under its choices; a few of them are computed so."""
    source = shared_data / "coco_panoptic_sample" / "panoptic_examples.json"
    found = calibrate(load(source))
    records = found.table.records()
    # 32 choices of shape, two averages, stuff as annotated or cut, crowd in or out; joining changes nothing in COCO.
    assert len(records) == 256 and found.idle == ("stuff: joined",)
    for number in (0, 17, 100, 255):
        one = records[number]
        shape = ShapeChoices(one["perimeter"], one["holes"], one["parts"], one["hull"])
        choices = DatasetChoices(one["stuff"], one["crowd"], shape)
        folder = tmp_path / str(number)
        table = compute(open_dataset(source), folder, choices=choices, bootstrap=0).tables["table1"].records()
        for figure in ("convexity", "simplicity"):
            same = next(row for row in table if row["figure"] == figure and row["average"] == one["average"])
            assert one[figure] == pytest.approx(same["value"], rel=1e-12)
            assert one[f"{figure}_count"] == same["count"]
    distances = [one["distance"] for one in records]
    assert distances == sorted(distances)
    first = records[0]
    assert first["distance"] == pytest.approx(
        math.hypot(first["convexity"] - 0.758, first["simplicity"] - 0.581)
    )


def test_the_answer_is_found_where_there_is_one(tiny, tmp_path, shared_data):
    """Take the figures under one choice for published: that choice comes first, at distance 0."""
    dataset = load(shared_data / "coco_panoptic_sample" / "panoptic_examples.json")
    shape = ShapeChoices("edges", False, "each", "centres")
    source = open_dataset(shared_data / "coco_panoptic_sample" / "panoptic_examples.json")
    row = table1_row(compute(source, tmp_path / "out", choices=DatasetChoices("parts", "entity", shape)))
    found = calibrate(dataset, Target(row["convexity"], row["simplicity"], "made"))
    nearest = found.table.records()[0]
    names = ("perimeter", "holes", "parts", "hull", "average", "stuff", "crowd")
    assert nearest["distance"] == pytest.approx(0, abs=1e-12)
    # Parts of stuff are measured for themselves either way, so `whole` may tie with `each` only if no thing has parts.
    assert tuple(nearest[name] for name in names) == (
        "edges",
        False,
        "each",
        "centres",
        "entities",
        "parts",
        "entity",
    )


def test_jobs_do_not_matter(tiny):
    assert calibrate(tiny, jobs=1) == calibrate(tiny, jobs=3)


def test_choices_without_effect_stand_once(make_image):
    one = make_image(1, ["##../##..", "...#/...."], [1, 1])
    found = calibrate(Dataset.build([one], [Category(1, "cat", True)]))
    assert found.idle == ("stuff: joined", "stuff: parts", "crowd: entity")
    assert len(found.table.rows) == 64


def test_undefined_values_are_left_out_and_counted(make_image):
    # The hull through the centre of a pixel has no area.
    one = make_image(1, ["##../##..", "...#/...."], [1, 1])
    records = calibrate(Dataset.build([one], [])).table.records()
    counts = {
        (record["hull"], record["convexity_count"]) for record in records if record["average"] == "entities"
    }
    assert counts == {("corners", 2), ("centres", 1)}


def test_nothing_to_measure(make_image):
    for images in ([], [make_image(1, [], [], size=(2, 2))]):
        records = calibrate(Dataset.build(images, [])).table.records()
        assert {record["distance"] for record in records} == {None}
        assert {record["convexity"] for record in records} == {None}


def test_published():
    assert published_target("entityseg")[:2] == (0.719, 0.538)
    with pytest.raises(UsageError, match="coco, ade20k, entityseg"):
        published_target("LVIS")
    assert np.isfinite(published_target()[:2]).all()
