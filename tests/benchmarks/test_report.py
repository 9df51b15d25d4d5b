"""Reports of every metric family: figures of all results, and pictures of the first one's worst images."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from entityseg.benchmarks.harness.families import FAMILIES, adapter
from entityseg.benchmarks.harness.opening import open_truth
from entityseg.benchmarks.harness.run import run
from entityseg.benchmarks.report import sorted_images, write_report
from entityseg.benchmarks.tables import shown
from entityseg.benchmarks.tasks import Task, tasks
from entityseg.masks import iou_matrix

MINI = [task for task in tasks() if task.is_mini]
ONE_EACH = [next(task for task in MINI if task.family == family) for family in FAMILIES]
DRAWN = [task for task in ONE_EACH if task.family != "sets"]


@pytest.mark.parametrize("task", ONE_EACH, ids=[task.family for task in ONE_EACH])
def test_page(task: Task, mini: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "a", tmp_path / "b"]
    found = [
        run(task, "oracle", out, data=mini, bootstrap=20, model_options={"noise": noise}).result
        for out, noise in zip(runs, (0.3, 0.6), strict=True)
    ]
    write_report(tmp_path / "page.html", runs, data=mini, pictures=2)
    text = (tmp_path / "page.html").read_text()
    plain = FAMILIES[task.family].plain
    for one in found:
        assert one.name in text
        for name, value in one.values.items():
            assert name in text and shown(value, plain=name in plain) in text
    drawn = min(2, len(sorted_images(task, found[0]))) if task in DRAWN else 0
    assert text.count("data:image/jpeg") == 3 * drawn
    # Every plot has ids of its own, and nothing comes from elsewhere.
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert "<script" not in text and 'src="http' not in text
    write_report(tmp_path / "again.html", runs, data=mini, pictures=2)
    assert (tmp_path / "again.html").read_text() == text


@pytest.mark.parametrize("task", DRAWN, ids=[task.family for task in DRAWN])
def test_pictures_of_a_perfect_prediction_show_the_truth_twice(
    task: Task, mini: Path, tmp_path: Path
) -> None:
    done = run(task, "oracle", tmp_path, data=mini, bootstrap=0)
    side = adapter(open_truth(task, mini))
    (path,) = tmp_path.glob("predictions*")
    known = [image for image, _ in sorted_images(task, done.result)][:3]
    pictured = list(side.pictures(path, known))
    assert len(pictured) == len(known) > 0
    for one in pictured:
        assert one.image is not None and one.image.exists()
        assert one.gt.size == one.pred.size == one.size and len(one.scores) == len(one.pred)
        assert sorted(one.gt.areas.tolist()) == sorted(one.pred.areas.tolist())
        # Each true mask is predicted pixel by pixel.
        assert iou_matrix(one.pred, one.gt).max(axis=0).tolist() == [1.0] * len(one.gt)
