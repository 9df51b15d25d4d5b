from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.data import convert, load
from entityseg.data.formats import get_format
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import InputError, UsageError
from entityseg.masks import from_dense, from_id_map, to_coco
from entityseg.masks.dense import to_dense
from entityseg.stats import DatasetChoices, compute, read_statistics, table1_row
from entityseg.stats.dataset.compute import Opened
from entityseg.stats.dataset.store import read_columns, schemas
from tests.strategies import partition, wiggly


def opened(dataset: Dataset) -> Opened:
    return Opened(dataset, Path("made.json"), "entity", "made")


def made(images: int = 11, seed: int = 0, overlap: bool = False) -> Dataset:
    """Images of wiggly cells (or overlapping blobs), one of them without entities."""
    rng = np.random.default_rng(seed)
    annotated = []
    for i in range(images):
        height, width = (int(side) for side in rng.integers(20, 70, 2))
        if i == 3:
            masks = from_dense(np.zeros((0, height, width), bool))
        elif overlap:
            masks = from_dense(wiggly(rng, 4, height, width))
        else:
            masks = from_id_map(partition(rng, 6, height, width))[1]
        n = len(masks)
        image = ImageRecord(i, f"entity_01_9/{i}.png", height, width, {"img_source": f"s{i % 3}"})
        annotated.append(
            AnnotatedImage(image, masks, 100 * i + np.arange(n), rng.integers(1, 4, n), rng.random(n) < 0.1)
        )
    categories = [Category(1, "cat", True), Category(2, "sky", False), Category(3, "blur", False)]
    return Dataset.build(annotated, categories)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """All results by name; the markers of the shards have times."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".done"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_tiny_dataset_by_hand(tiny, tmp_path):
    found = compute(opened(tiny), tmp_path / "out", bootstrap=100)
    row = table1_row(found)
    assert row["image size"] == pytest.approx((np.sqrt(8) + 4 + 2) / 3)
    assert (row["entities"], row["entities max"]) == (2.0, 3)
    assert row["valid area"] == pytest.approx((6 / 8 + 11 / 16 + 0) / 3)
    assert row["convexity"] == 1.0
    table = found.tables["table1"]
    assert table.records()[3]["count"] == 6 and table.records()[3]["excluded"] == 0
    images_mean = next(
        one for one in table.records() if one["figure"] == "convexity" and one["average"] == "images"
    )
    assert (images_mean["count"], images_mean["excluded"]) == (2, 1)
    kinds = {one["kind"]: one["entities"] for one in found.tables["class_kinds"].records()}
    assert kinds == {"thing": 3, "stuff": 2, "not said": 1, "unknown": 1, "blur": 0, "_ot": 0}
    violations = {one["violation"]: one["count"] for one in found.tables["violations"].records()}
    assert violations["images with overlap"] == 1 and violations["overlap pixels"] == 2
    assert violations["images without entities"] == 1 and violations["coverage below 0.9"] == 3
    exclusions = {one["what"]: one["count"] for one in found.tables["exclusions"].records()}
    assert (exclusions["empty masks"], exclusions["crowd regions"]) == (1, 1)
    assert found.tables["sources"].rows == (("Pixabay", 2, 2 / 3), ("not said", 1, 1 / 3))
    assert found.tables["subsets"].rows == (("entity_01_3", 2, 2 / 3), ("entity_02_1", 1, 1 / 3))
    assert found.tables["worst_overlap"].rows == ((1, "entity_01_3/2.png", 2, 0.125, 1),)
    assert [one["image"] for one in found.tables["worst_coverage"].records()] == [2, 1, 0]
    assert found.distributions["entities_per_image"].y == (1, 0, 0, 2)
    assert found.tables["duplicates"].note.startswith("Not looked for")
    assert read_statistics(tmp_path / "out") == found
    entities = read_columns(tmp_path / "out" / "entities.parquet", ("annotation_id", "counted", "centroid_x"))
    assert entities["annotation_id"].tolist() == [10, 11, 12, 20, 21, 22, 23, 24]
    assert entities["counted"].sum() == 6 and np.isnan(entities["centroid_x"][-1])
    for name, table in found.tables.items():
        assert (
            len((tmp_path / "out" / "tables" / f"{name}.csv").read_text().splitlines()) == len(table.rows) + 1
        )
        assert (tmp_path / "out" / "tables" / f"{name}.tex").is_file()


def test_an_empty_dataset_and_one_without_entities(tmp_path, make_image):
    found = compute(opened(Dataset.build([], [])), tmp_path / "none")
    assert set(table1_row(found).values()) == {None}
    assert read_statistics(tmp_path / "none") == found
    blank = Dataset.build([make_image(1, [], [], size=(3, 3)), make_image(2, [".../..."], [1])], [])
    found = compute(opened(blank), tmp_path / "blank")
    row = table1_row(found)
    assert (row["entities"], row["entities max"], row["valid area"], row["convexity"]) == (0.0, 0, 0.0, None)
    assert found.tables["exclusions"].find("empty masks")["count"] == 1
    assert read_statistics(tmp_path / "blank") == found


def test_crowds_that_are_entities_are_not_left_out(tiny, tmp_path):
    found = compute(opened(tiny), tmp_path / "out", choices=DatasetChoices(crowd="entity"), bootstrap=0)
    assert found.tables["exclusions"].find("crowd regions")["count"] == 0


def test_sources_that_are_not_said_are_one_row(tmp_path, make_image):
    images = [
        make_image(1, ["#"], [1], file_name="b/1.png", img_source="a"),
        make_image(2, ["#"], [1], file_name="2.png", img_source="not said"),
        make_image(3, ["#"], [1], file_name="/3.png"),
        make_image(4, ["#"], [1], file_name="b/4.png", img_source="a"),
    ]
    found = compute(opened(Dataset.build(images, [])), tmp_path / "out", bootstrap=0)
    assert found.tables["sources"].rows == (("not said", 2, 0.5), ("a", 2, 0.5))
    assert found.tables["subsets"].rows == (("not said", 2, 0.5), ("b", 2, 0.5))


def test_jobs_do_not_matter(tmp_path):
    dataset = made(overlap=True)
    for jobs in (1, 2, 5):
        compute(
            opened(dataset), tmp_path / str(jobs), jobs=jobs, shard_size=3, class_density=True, bootstrap=50
        )
    one = bytes_of(tmp_path / "1")
    assert {"statistics.json", "images.parquet", "class_density.parquet", "tables/table1.tex"} <= set(one)
    assert bytes_of(tmp_path / "2") == one == bytes_of(tmp_path / "5")


def test_the_cut_into_shards_does_not_matter(tmp_path):
    dataset = made()
    whole, cut = (
        compute(opened(dataset), tmp_path / str(size), shard_size=size, class_density=True)
        for size in (100, 2)
    )
    assert cut == whole
    for name in ("images.parquet", "entities.parquet", "class_density.parquet"):
        columns = schemas()[name].names
        a, b = (read_columns(tmp_path / str(size) / name, columns) for size in (100, 2))
        for column in columns:
            np.testing.assert_array_equal(a[column], b[column])


class Killed(Exception):
    pass


def test_a_job_that_was_stopped_goes_on(tmp_path):
    dataset = made()
    asked: list[int] = []
    kept = dataset.source.masks

    class Counting:
        extras = staticmethod(dataset.source.extras)

        @staticmethod
        def masks(index):
            asked.append(index)
            return kept(index)

    object.__setattr__(dataset, "source", Counting())
    compute(opened(dataset), tmp_path / "whole", shard_size=2, jobs=1)

    def killer(after):
        def progress(items, total, label):
            for number, item in enumerate(items):
                if number == after:
                    raise Killed
                yield item

        return progress

    for after in (1, 3, 5):
        with pytest.raises(Killed):
            compute(opened(dataset), tmp_path / "killed", shard_size=2, jobs=1, progress=killer(after))
    # A shard whose bytes are not those of its marker is done again; so is one without a marker.
    shards = sorted((tmp_path / "killed" / "shards").glob("*.done"))
    assert len(shards) == 3
    (shards[0].with_suffix("") / "images.parquet").write_bytes(b"PAR1")
    # A kill while files are written leaves their beginnings under other names.
    (tmp_path / "killed" / "tables").mkdir()
    for name in (
        "statistics.json",
        "images.parquet",
        "entities.parquet",
        "tables/zipf.csv",
        "tables/zipf.tex",
    ):
        whole = tmp_path / "killed" / name
        whole.with_name(f".part-0123456789ab-{whole.name}").write_bytes(b"PAR1")
    asked.clear()
    compute(opened(dataset), tmp_path / "killed", shard_size=2, jobs=1)
    assert asked == [0, 1, 6, 7, 8, 9, 10]
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
    asked.clear()
    compute(opened(dataset), tmp_path / "killed", shard_size=2, jobs=1)
    assert asked == []


@pytest.mark.slow
def test_a_killed_process_goes_on(tmp_path):
    get_format("entity").write(made(images=40), tmp_path / "made.json")
    command = [sys.executable, "-c", "from entityseg.cli.main import main; main()", "stats", "compute"]
    command += ["made.json", "--shard-size", "1", "--jobs", "1", "-o"]
    subprocess.run([*command, "whole"], cwd=tmp_path, check=True, capture_output=True)
    process = subprocess.Popen(
        [*command, "killed"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "killed").glob("shards/*.done"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list((tmp_path / "killed").glob("shards/*.done"))
    subprocess.run([*command, "killed"], cwd=tmp_path, check=True, capture_output=True)
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")


def test_another_job_is_refused_the_folder(tmp_path):
    dataset, folder = made(), tmp_path / "out"
    compute(opened(dataset), folder)
    before = bytes_of(folder)
    with pytest.raises(UsageError, match="choices differ"):
        compute(opened(dataset), folder, choices=DatasetChoices(stuff="parts"))
    with pytest.raises(UsageError, match="records_sha256 differ"):
        compute(opened(made(seed=1)), folder)
    assert bytes_of(folder) == before
    compute(opened(made(seed=1)), folder, overwrite=True)
    compute(opened(made(seed=1)), tmp_path / "fresh")
    assert bytes_of(folder) == bytes_of(tmp_path / "fresh")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="something else than statistics"):
        compute(opened(dataset), tmp_path / "mine", overwrite=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(UsageError, match="something else than statistics"):
        compute(opened(dataset), tmp_path / "mine" / "thesis.txt")


def test_a_job_killed_while_it_takes_a_folder_can_be_done_again(tmp_path, monkeypatch):
    dataset, folder = made(images=3), tmp_path / "out"
    folder.mkdir()
    (folder / ".part-0123456789ab-run.json").write_text("{")
    compute(opened(made(images=2)), folder)

    def killed(path, **how):
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(shutil, "rmtree", killed)
        compute(opened(dataset), folder, overwrite=True)
    with pytest.raises(UsageError, match="something else"):
        compute(opened(dataset), folder)
    compute(opened(dataset), folder, overwrite=True)
    compute(opened(dataset), tmp_path / "fresh")
    assert bytes_of(folder) == bytes_of(tmp_path / "fresh")


def test_changed_pngs_are_another_job_and_the_folder_may_lie_among_them(tmp_path):
    annotated = [one.select(~one.iscrowd) for one in made(images=3)]
    get_format("coco-panoptic").write(
        Dataset.build(annotated, made().categories), tmp_path / "set", renumber=True
    )
    source = tmp_path / "set"
    pngs = sorted(source.rglob("*.png"))
    for _ in range(2):
        before = compute(source, pngs[0].parent / "out")
    assert compute(source, tmp_path / "elsewhere").tables == before.tables
    os.utime(pngs[0], ns=(1, 1))
    with pytest.raises(UsageError, match="records_sha256 differ"):
        compute(source, tmp_path / "elsewhere")


def test_two_processes_do_not_share_a_folder(tmp_path):
    dataset, folder = made(), tmp_path / "out"

    def second(items, total, label):
        with pytest.raises(UsageError, match="another process computes"):
            compute(opened(dataset), folder)
        return items

    compute(opened(dataset), folder, progress=second)
    compute(opened(dataset), folder)


def test_new_bytes_in_the_same_file_are_another_job(tmp_path):
    file = tmp_path / "made.json"
    get_format("entity").write(made(), file)
    compute(file, tmp_path / "out")
    text = json.loads(file.read_text())
    first = text["annotations"][0]["segmentation"]
    first["counts"] = text["annotations"][1]["segmentation"]["counts"]
    file.write_text(json.dumps(text))
    with pytest.raises(UsageError, match="file_sha256 differ"):
        compute(file, tmp_path / "out")


@pytest.mark.parametrize("format", ["parquet", "semantic"])
def test_new_masks_of_the_same_records_are_another_job(tmp_path, format):
    """Also where the masks do not lie in the file that was named."""
    records = [one.select(~one.iscrowd) for one in made(images=3)]
    turned = [replace(one, masks=from_dense(to_dense(one.masks)[:, ::-1, ::-1])) for one in records]
    for name, images in (("first", records), ("second", turned)):
        file = tmp_path / f"{name}.json"
        get_format("entity").write(Dataset.build(images, made().categories), file)
        convert(file, tmp_path / name, to=format, lossy=True)
    shutil.copytree(tmp_path / "first", tmp_path / "set")
    before = compute(tmp_path / "set", tmp_path / "out")
    assert compute(tmp_path / "set", tmp_path / "out") == before
    shutil.rmtree(tmp_path / "set")
    shutil.copytree(tmp_path / "second", tmp_path / "set")
    with pytest.raises(UsageError, match="something else"):
        compute(tmp_path / "set", tmp_path / "out")
    after = compute(tmp_path / "set", tmp_path / "out", overwrite=True)
    assert after.identity.digest != before.identity.digest


def test_malformed_masks_are_all_named_and_the_rest_is_kept(tmp_path):
    file = tmp_path / "made.json"
    get_format("entity").write(made(), file)
    whole = file.read_text()
    text = json.loads(whole)
    for row in (0, -1):
        text["annotations"][row]["segmentation"]["counts"] = "0"
    file.write_text(json.dumps(text))
    with pytest.raises(InputError) as caught:
        compute(file, tmp_path / "out", shard_size=2)
    records = {finding.record for finding in caught.value.findings}
    assert records == {"annotations[0]", f"annotations[{len(text['annotations']) - 1}]"}
    assert not (tmp_path / "out" / "statistics.json").exists()
    assert len(list((tmp_path / "out" / "shards").glob("*.done"))) == 4


def figures(found, *left_out: str) -> dict[str, object]:
    return {name: table for name, table in found.tables.items() if name not in left_out}


def test_the_sample_is_the_same_from_png_and_from_rle(shared_data, tmp_path):
    source = shared_data / "coco_panoptic_sample" / "panoptic_examples.json"
    panoptic = compute(source, tmp_path / "panoptic")
    assert panoptic.identity.annotations == 50
    row = table1_row(panoptic)
    assert (row["entities"], row["entities max"]) == (23.5, 30)
    assert row["image size"] == pytest.approx((480 + np.sqrt(427 * 640)) / 2)
    dataset = load(source)
    stated = [
        [segment["area"] for segment in record["segments_info"]]
        for record in json.loads(source.read_text())["annotations"]
    ]
    shares = [
        sum(areas) / image.height / image.width for areas, image in zip(stated, dataset.images, strict=True)
    ]
    assert row["valid area"] == pytest.approx(np.mean(shares))
    for to, name in (("coco-instances", "instances.json"), ("entity", "entity.json"), ("parquet", "parquet")):
        convert(source, tmp_path / name, to=to, lossy=True)
        found = compute(tmp_path / name, tmp_path / f"{name}-statistics")
        assert table1_row(found) == row, to
        assert found.identity.digest == panoptic.identity.digest
        assert found.distributions == panoptic.distributions
        assert figures(found, "categories", "class_kinds") == figures(panoptic, "categories", "class_kinds")


@pytest.fixture
def pictures(tmp_path):
    """Two sets with images: one inside duplicate, one across, one file missing, one broken, one of one shade."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (7, 7, 7, 3), dtype=np.uint8)
    shown = [Image.fromarray(one).resize((70, 70), Image.Resampling.BICUBIC) for one in small]
    for name, order in (("one", [0, 1, 0, 2]), ("two", [3, 1, 4])):
        folder = tmp_path / name
        folder.mkdir()
        records = []
        for i, which in enumerate(order):
            shown[which].save(folder / f"{i}.jpg", quality=90 - 10 * i)
            records.append(ImageRecord(i, f"{i}.jpg", 70, 70))
        if name == "two":
            Image.new("L", (70, 70), 9).save(folder / "flat.png")
            (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
            records += [
                ImageRecord(10 + k, file, 70, 70)
                for k, file in enumerate(("flat.png", "broken.jpg", "gone.jpg"))
            ]
        nothing = from_dense(np.zeros((0, 70, 70), bool))
        empty = np.empty(0, np.int64)
        images = [AnnotatedImage(record, nothing, empty, empty, np.empty(0, bool)) for record in records]
        get_format("entity").write(Dataset.build(images, []), folder / f"{name}.json")
    return tmp_path


def test_duplicates_inside_and_across(pictures):
    one = compute(pictures / "one" / "one.json", pictures / "s1", hashes=True)
    members = [
        (record["set"], record["file_name"], record["across"])
        for record in one.tables["duplicates"].records()
    ]
    assert members == [("one", "0.jpg", False), ("one", "2.jpg", False)]
    two = compute(pictures / "two" / "two.json", pictures / "s2", hashes=True, against=[pictures / "s1"])
    members = [
        (record["set"], record["file_name"], record["across"])
        for record in two.tables["duplicates"].records()
    ]
    assert members == [("two", "1.jpg", True), ("one", "1.jpg", True)]
    exclusions = {record["what"]: record["count"] for record in two.tables["exclusions"].records()}
    assert [exclusions[f"{state} pictures"] for state in ("missing", "unreadable", "flat", "large")] == [
        1,
        1,
        1,
        0,
    ]
    found = read_columns(pictures / "s2" / "images.parquet", ("picture", "hash"))
    assert found["picture"].tolist() == ["hashed"] * 3 + ["flat", "unreadable", "missing"]
    assert [value is None for value in found["hash"]] == [False] * 3 + [True] * 3


def test_pictures_that_came_later_are_another_job(pictures):
    data, out = pictures / "two" / "two.json", pictures / "s2"
    compute(data, out, hashes=True)
    compute(data, out, hashes=True)
    shutil.copy(pictures / "two" / "0.jpg", pictures / "two" / "gone.jpg")
    with pytest.raises(UsageError, match="pictures_sha256 differ"):
        compute(data, out, hashes=True)
    found = compute(data, out, hashes=True, overwrite=True)
    assert found.tables["exclusions"].find("missing pictures")["count"] == 0
    # Without hashes nobody looks at them.
    compute(data, pictures / "s3")
    (pictures / "two" / "gone.jpg").unlink()
    compute(data, pictures / "s3")


def test_sets_of_one_name_are_told_apart(pictures):
    shutil.copytree(pictures / "one", pictures / "copy")
    for number in (1, 2):
        compute(pictures / "copy" / "one.json", pictures / f"s{number}", hashes=True)
    others = [pictures / "s1", pictures / "s2"]
    found = compute(pictures / "one" / "one.json", pictures / "s", hashes=True, against=others)
    sets = [record["set"] for record in found.tables["duplicates"].records()]
    twice = ["one", "one", "one (2)", "one (2)", "one (3)", "one (3)"]
    assert sets == twice + ["one", "one (2)", "one (3)"] * 2


def test_against_without_hashes_is_refused(pictures):
    compute(pictures / "one" / "one.json", pictures / "s1")
    with pytest.raises(UsageError, match="Add `--hash`"):
        compute(pictures / "two" / "two.json", pictures / "s2", against=[pictures / "s1"])
    with pytest.raises(UsageError, match="computed without hashes"):
        compute(pictures / "two" / "two.json", pictures / "s2", hashes=True, against=[pictures / "s1"])
    with pytest.raises(InputError, match="table is missing"):
        compute(pictures / "two" / "two.json", pictures / "s2", hashes=True, against=[pictures / "nowhere"])


def test_damaged_tables_are_refused(tmp_path):
    compute(opened(made()), tmp_path / "out")
    file = tmp_path / "out" / "images.parquet"
    data = bytearray(file.read_bytes())
    for place in range(100, len(data) // 2, 7):
        data[place] ^= 0xFF
    file.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"images\.parquet"):
        read_columns(file, schemas()["images.parquet"].names)
    shutil.copy(tmp_path / "out" / "entities.parquet", file)
    with pytest.raises(InputError, match="needs a column"):
        read_columns(file, ("width",))


def test_memory_hardly_grows_with_the_images(tmp_path):
    def peak(images: int) -> int:
        path = tmp_path / f"{images}.json"
        write_alike(path, images)
        tracemalloc.start()
        try:
            compute(path, tmp_path / f"{images}", bootstrap=20, jobs=1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # What is imported and compiled on the way.
    # The index of the dataset takes 1.2 KB for 18 entities; it was 7 KB once.
    assert (peak(1200) - peak(400)) / 800 < 2000


def write_alike(path: Path, images: int) -> None:
    """Write images of 18 strips each as COCO JSON."""
    strips = to_coco(from_id_map(np.repeat(np.arange(1, 19), 2)[None].repeat(20, axis=0))[1])
    annotations = [
        {"id": 18 * i + k, "image_id": i, "category_id": k % 9, "iscrowd": 0, "area": 40, "segmentation": one}
        for i in range(images)
        for k, one in enumerate(strips)
    ]
    listed = [{"id": i, "file_name": f"{i:06d}.jpg", "height": 20, "width": 36} for i in range(images)]
    categories = [{"id": k, "name": f"class {k}"} for k in range(9)]
    path.write_text(json.dumps({"images": listed, "annotations": annotations, "categories": categories}))
