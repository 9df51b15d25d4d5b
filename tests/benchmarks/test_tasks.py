"""Tasks are frozen records that name each other, the published rows, and their metric families rightly."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from entityseg import published
from entityseg.benchmarks.harness.families import FAMILIES
from entityseg.benchmarks.tasks import get, tasks
from entityseg.benchmarks.tasks.mini import mini_name
from entityseg.benchmarks.tasks.record import Task
from entityseg.errors import UsageError
from entityseg.metrics.set_means import SGINW_SETS

# Digests of released tasks: a task is never edited; a change needs a new version that supersedes it.
REAL = [task for task in tasks() if not task.is_mini]


def test_all_groups_of_the_papers_are_there() -> None:
    names = {task.name.partition("@")[0] for task in REAL}
    expected = {
        "entityseg-entity-high", "entityseg-entity-low", "entityseg-semantic", "entityseg-instance",
        "entityseg-panoptic", "coco-instance", "coco-panoptic", "ade20k-instance", "ade20k-panoptic",
        "ade20k-open-vocabulary", "refcoco-val", "refcoco-testA", "refcoco-testB", "refcoco+-val",
        "refcoco+-testA", "refcoco+-testB", "refcocog-val", "refcocog-test", "grefcoco-val", "grefcoco-testA",
        "grefcoco-testB", "png-given-phrases", "png-end-to-end", "reasonseg-val", "reasonseg-test", "sginw",
        "lvis-wild", "ocid-wild", "camo-wild", "fss-wild", "dis5k-vd", "dis5k-te1", "dis5k-te2", "dis5k-te3",
        "dis5k-te4", "youtubevis-2019", "uvo", "vipseg",
    }  # fmt: skip
    assert expected <= names
    assert len([name for name in names if name.startswith("sginw-")]) == len(SGINW_SETS) == 25


def test_records_are_frozen_and_strict() -> None:
    task = get("coco-panoptic@1")
    with pytest.raises(ValidationError):
        task.main = "SQ"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        Task.model_validate({**task.model_dump(), "metrics": ["PQ"]})
    with pytest.raises(ValidationError, match="pattern"):
        Task.model_validate({**task.model_dump(), "name": "coco-panoptic"})


def test_digest_sees_every_field_and_no_order() -> None:
    task = get("coco-panoptic@1")
    assert Task.model_validate(dict(reversed(task.model_dump().items()))).digest() == task.digest()
    for field, value in (("main", "SQ"), ("title", "x"), ("modes", ("canonical",)), ("counts", ())):
        assert task.model_copy(update={field: value}).digest() != task.digest()


def test_every_task_has_a_family_and_a_mini_task() -> None:
    names = {task.name for task in tasks()}
    for task in REAL:
        assert task.family in FAMILIES
        assert task.modes[0] == "canonical"
        assert mini_name(task.name) in names or task.name.startswith("sginw-")


def test_published_keys_exist() -> None:
    known = set(published.tasks())
    # No table has figures for these.
    without = {"dis5k-te1", "dis5k-te2", "dis5k-te3", "dis5k-te4"}
    assert {task.published for task in REAL if task.published is not None} - known <= without
    assert known - {task.published for task in REAL} <= {"ade20k-entity", "ade20k-semantic"}


def test_counts_of_the_released_code() -> None:
    counts = {one.name: (one.value, one.sure) for one in get("entityseg-panoptic").counts}
    assert counts == {"categories": (350, True), "things": (279, True), "stuff": (71, True)}
    assert not next(one for one in get("entityseg-entity-high").counts if one.name == "images").sure
    refs = {one.name: (one.value, one.sure) for one in get("refcocog-test").counts}
    assert refs == {"refs": (5023, True), "expressions": (9602, False)}


def test_names_are_found_without_version_and_case_and_suggested() -> None:
    assert get("refcoco-testa").name == "refcoco-testA@1"
    assert get("REFCOCO-TESTA@1").name == "refcoco-testA@1"
    with pytest.raises(UsageError, match="Did you mean 'coco-panoptic@1'"):
        get("coco-panoptik")
