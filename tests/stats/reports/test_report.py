"""The report: what it shows of which sets, which entities it chooses, and what it says when data are gone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from entityseg.cli.main import run
from entityseg.errors import InputError, MissingFileError, UsageError
from entityseg.masks import from_dense
from entityseg.masks.coco import to_strings
from entityseg.report import spreads
from entityseg.report.plots import to_svg
from entityseg.stats.dataset import store
from entityseg.stats.dataset.choices import DatasetChoices
from entityseg.stats.dataset.compute import compute
from entityseg.stats.dataset.schema import ENTITIES, read_statistics
from entityseg.stats.dataset.store import schemas
from entityseg.stats.reports import choose_examples, write_report
from entityseg.stats.reports.examples import choices_of, draw_examples, open_measured
from entityseg.stats.reports.figures import plot
from entityseg.stats.shape import ShapeChoices


def disc(size: int, x: int, y: int, radius: int) -> np.ndarray[Any, Any]:
    rows, columns = np.mgrid[:size, :size]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def cross(size: int, x: int, y: int, arm: int) -> np.ndarray[Any, Any]:
    mask = np.zeros((size, size), bool)
    mask[y - arm : y + arm, x - 2 : x + 2] = True
    mask[y - 2 : y + 2, x - arm : x + arm] = True
    return mask


def make_set(folder: Path, *, images: int = 3, pictures: bool = True) -> Path:
    """A disc, a cross and a blot in each image; the disc is the least complex, the cross the most."""
    folder.mkdir()
    records, annotations = [], []
    for number in range(images):
        masks = np.stack([disc(200, 60, 60, 30 + number), cross(200, 140, 140, 40), disc(200, 190, 10, 3)])
        runs = from_dense(masks)
        records.append({"id": number + 1, "file_name": f"{number}.png", "height": 200, "width": 200})
        for k, text in enumerate(to_strings(runs)):
            annotations.append(
                {
                    "id": 10 * number + k + 1, "image_id": number + 1, "category_id": k + 1, "iscrowd": 0,
                    "area": int(runs.areas[k]), "bbox": runs.boxes[k].tolist(),
                    "segmentation": {"size": [200, 200], "counts": text.decode()},
                }
            )  # fmt: skip
        if pictures:
            Image.fromarray(np.full((200, 200, 3), 40 * number, np.uint8)).save(folder / f"{number}.png")
    categories = [{"id": k + 1, "name": name} for k, name in enumerate(("disc", "cross", "blot"))]
    path = folder / "entities.json"
    path.write_text(json.dumps({"images": records, "annotations": annotations, "categories": categories}))
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("report")
    for name, images in (("one", 3), ("two", 5)):
        compute(make_set(root / name, images=images), root / f"stats-{name}", bootstrap=20)
    return root / "stats-one", root / "stats-two"


def test_examples_are_the_extremes(folders: tuple[Path, Path]) -> None:
    most, least = choose_examples(folders[0], 3)
    # One of each image: its cross; then its disc. The blots are too small to have a shape.
    assert sorted(one.annotation_id for one in most) == [2, 12, 22]
    assert sorted(one.annotation_id for one in least) == [1, 11, 21]
    assert max(one.convexity for one in most) < min(one.convexity for one in least)
    assert [one.convexity for one in least] == sorted((one.convexity for one in least), reverse=True)
    most, least = choose_examples(folders[0], 100)
    assert len(most) == 6 and least == []


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_examples_do_not_depend_on_the_parts_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Four images of which one has most extremes, so that some must be of one image."""
    rng = np.random.default_rng(count)
    sizes = {0: 7, 1: 1, 2: 0, 3: 2}
    image = np.repeat(list(sizes), list(sizes.values()))
    n = len(image)
    rows = {field.name: np.zeros(n, np.int64) for field in schemas()[ENTITIES]}
    rows |= {"image": image, "file_name": np.full(n, "a.png", object), "annotation_id": np.arange(n)}
    rows |= {"counted": np.arange(n) != 3, "bbox_width": np.full(n, 40), "bbox_height": np.full(n, 40)}
    rows |= {"convexity": rng.integers(0, 3, n) / 2, "simplicity": rng.integers(0, 3, n) / 2}
    found = []
    for number, least in enumerate((1, 100)):
        monkeypatch.setattr(store, "_ROWS_A_GROUP", least)
        folder = tmp_path / str(number)
        folder.mkdir()
        parts = [{name: column[image == k] for name, column in rows.items()} for k in sizes if sizes[k]]
        store.write_table(folder / ENTITIES, parts)
        found.append(choose_examples(folder, count))
    assert found[0] == found[1]
    most, least = found[0]
    assert len({one.image for one in most}) == min(count, 3) and not {*most} & {*least}
    assert len(most) == min(count, n - 1) and len(least) == min(count, n - 1 - len(most))
    assert min(one.convexity for one in most) == rows["convexity"][rows["counted"]].min()


@pytest.mark.parametrize(("stuff", "pixels"), [("annotated", 1600), ("joined", 3200), ("parts", 800)])
def test_examples_show_what_was_measured(tmp_path: Path, stuff: str, pixels: int) -> None:
    """Two skies, each in two parts of 20 x 40 pixels, of which one, both, or a part is the entity."""
    dense = np.zeros((2, 200, 200), bool)
    for k, (x, y) in enumerate([(0, 0), (100, 100)]):
        dense[k, y : y + 40, x : x + 20] = dense[k, y : y + 40, x + 40 : x + 60] = True
    dense = dense.repeat(2, axis=1).repeat(2, axis=2)
    annotations = [
        {"id": 7, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 1, "bbox": [0, 0, 1, 1],
         "segmentation": {"size": [400, 400], "counts": text.decode()}}
        for text in to_strings(from_dense(dense))
    ]  # fmt: skip
    annotations[1]["id"] = 8
    image = {"id": 1, "file_name": "a.png", "height": 400, "width": 400}
    sky = {"id": 1, "name": "sky", "isthing": 0}
    (tmp_path / "set.json").write_text(
        json.dumps({"images": [image], "annotations": annotations, "categories": [sky]})
    )
    found = compute(tmp_path / "set.json", tmp_path / "out", choices=DatasetChoices(stuff=stuff), bootstrap=0)  # type: ignore[arg-type]
    most, _ = choose_examples(tmp_path / "out", 1)
    dataset = open_measured(found.identity)
    assert dataset is not None
    (drawn,) = draw_examples(dataset, most, choices_of(found.identity))
    # Twice as wide and high as above, and drawn no larger: what is not grey is the entity and its outline.
    colours = np.asarray(drawn.convert("RGB")).astype(int)
    scale = drawn.width / min(400, 1.24 * {"annotated": 120, "joined": 320, "parts": 80}[stuff] + 2)
    assert (np.ptp(colours, axis=2) > 0).sum() / scale**2 == pytest.approx(4 * pixels, rel=0.1)


def test_page_shows_all_sets_beside_the_published_rows(folders: tuple[Path, Path], tmp_path: Path) -> None:
    made = write_report(folders, tmp_path / "page.html", names=["one", "two"], examples=2)
    page = made.page.read_text()
    assert page.count("<img") == 8
    for text in (
        "EntitySeg (published)",
        "2,700.7",
        "0.719",
        "one: most complex",
        "Where entities lie",
        "cross",
    ):
        assert text in page, text
    assert not re.search(r"<script|src=\"http|nan", page)
    row = made.to_json()["sets"][0]["table1"]
    assert row["image size"] == 200 and row["entities"] == 3
    assert made.without_pictures == []
    again = write_report(folders, tmp_path / "again.html", names=["one", "two"], examples=2)
    assert again.page.read_bytes() == made.page.read_bytes()


def test_ids_of_plots_are_unique(folders: tuple[Path, Path], tmp_path: Path) -> None:
    page = write_report(folders, tmp_path / "page.html").page.read_text()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_data_that_are_gone_are_said(folders: tuple[Path, Path], tmp_path: Path) -> None:
    data = make_set(tmp_path / "gone")
    compute(data, tmp_path / "stats", bootstrap=0)
    shutil.rmtree(tmp_path / "gone")
    made = write_report([tmp_path / "stats"], tmp_path / "page.html")
    assert made.without_pictures == [made.to_json()["sets"][0]["name"]]
    assert "No pictures of" in made.page.read_text()


def test_data_that_have_changed_are_not_drawn(tmp_path: Path) -> None:
    data = make_set(tmp_path / "data")
    compute(data, tmp_path / "out", bootstrap=0)
    content = json.loads(data.read_text())
    masks = [one["segmentation"] for one in content["annotations"]]
    masks[0], masks[1] = masks[1], masks[0]
    for one, mask in zip(content["annotations"], masks, strict=True):
        one["segmentation"] = mask
    data.write_text(json.dumps(content))
    with pytest.raises(InputError, match="does not have the entity that was measured"):
        write_report([tmp_path / "out"], tmp_path / "page.html")


def test_images_that_are_gone_leave_masks_on_grey(tmp_path: Path) -> None:
    data = make_set(tmp_path / "bare", pictures=False)
    compute(data, tmp_path / "stats", bootstrap=0)
    assert write_report([tmp_path / "stats"], tmp_path / "page.html").page.read_text().count("<img") == 6


def test_values_beyond_a_figure_and_choices_are_said(tmp_path: Path) -> None:
    data = make_set(tmp_path / "data")
    by_centres = DatasetChoices("joined", "entity", ShapeChoices(hull="centres"))
    compute(data, tmp_path / "corners", bootstrap=0)
    found = compute(data, tmp_path / "centres", bootstrap=0, choices=by_centres)
    beyond = found.distributions["convexity"].outside[1]
    assert beyond > 0
    both = [tmp_path / "corners", tmp_path / "centres"]
    page = write_report(both, tmp_path / "page.html", names=["a", "b"]).page.read_text()
    assert f"b: {beyond} of 9 values of the convexity lie outside of 0 to 1" in page
    assert "a: 0 of" not in page
    for text in ("stuff as annotated", "crowd regions in the valid area only", "crowd regions as entities"):
        assert text in page, text


def test_a_map_of_nothing_is_no_figure(tmp_path: Path) -> None:
    for number, images in enumerate((0, 2)):
        compute(make_set(tmp_path / f"{number}", images=images), tmp_path / f"out{number}", bootstrap=0)
    nothing, something = (read_statistics(tmp_path / f"out{number}") for number in (0, 1))
    assert plot("density", {"nothing": nothing}) is None
    assert plot("density", {"nothing": nothing, "something": something}) is not None
    page = write_report([tmp_path / "out0"], tmp_path / "page.html").page.read_text()
    assert "Where entities lie" not in page


def test_a_category_without_a_name_is_shown_by_its_id(tmp_path: Path) -> None:
    data = make_set(tmp_path / "data")
    content = json.loads(data.read_text())
    data.write_text(json.dumps({**content, "categories": content["categories"][1:]}))
    compute(data, tmp_path / "out", bootstrap=0)
    page = write_report([tmp_path / "out"], tmp_path / "page.html").page.read_text()
    assert "category 1 + cross" in page and "None" not in page


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda tables: tables.clear(), "tables.table1: the table is missing"),
        (lambda tables: tables[0]["rows"].pop(0), "the row of this figure is missing"),
        (lambda tables: tables[0]["rows"][0].__setitem__(3, "abc"), "value: the cell must be int or float"),
        (lambda tables: tables[0]["columns"][0].update(name="x"), "figure: the column is missing"),
        (lambda tables: tables[3]["rows"][0].__setitem__(1, None), "threshold: the cell must be int"),
    ],
)
def test_statistics_without_what_a_page_shows_are_refused(
    folders: tuple[Path, Path], tmp_path: Path, spoil: Callable[[Any], object], words: str
) -> None:
    shutil.copytree(folders[0], tmp_path / "out")
    file = tmp_path / "out" / "statistics.json"
    content = json.loads(file.read_text())
    spoil(content["tables"])
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=re.escape(words)):
        write_report([tmp_path / "out"], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_wrong_names_and_folders(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_report(folders, tmp_path / "page.html", names=["one", "one"])
    with pytest.raises(UsageError):
        write_report([], tmp_path / "page.html")
    with pytest.raises(MissingFileError):
        write_report([tmp_path], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_command(
    folders: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["stats", "report", *map(str, folders), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["page"] == "statistics.html"
    assert run(["stats", "report", str(folders[0]), "-o", "b.html", "--examples", "1"]) == 0
    assert "b.html" in capsys.readouterr().out
    assert run(["stats", "report", str(folders[0] / "statistics.json"), "-o", "c.html"]) == 0
    assert run(["stats", "report", str(tmp_path / "nothing")]) == 1
    assert run(["stats", "report"]) == 2


def test_bins_are_joined_without_losing_a_count() -> None:
    edges, counts = np.arange(201.0), np.random.default_rng(0).integers(0, 9, 200)
    counts[:20] = counts[-7:] = 0
    grid, joined = spreads._joined(edges, counts.astype(float), 7)
    assert joined.sum() == counts.sum()
    for start, stop, height in zip(grid, grid[1:], joined, strict=False):
        assert height == counts[(edges[:-1] >= start) & (edges[:-1] < stop)].sum()
    assert joined[0] and joined[-1]


@pytest.mark.parametrize("sets", [1, 3])
def test_plots_stand_for_any_number_of_sets_and_for_nothing(sets: int) -> None:
    names = [f"set {k}" for k in range(sets)]
    empty = {name: ([0.0, 1.0], [0]) for name in names}
    assert to_svg(spreads.histograms(empty, "x", "images"), "a")
    assert to_svg(spreads.rank_curves({name: [] for name in names}, "entities"), "b")
    assert to_svg(spreads.maps({name: [[0.0]] for name in names}, "share"), "c")
