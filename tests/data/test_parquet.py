"""Parquet: loses nothing, opens lazily, reads row groups once, and notices damage."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entityseg.data import parquet_tables
from entityseg.data.formats import parquet
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import InputError, MissingFileError, UsageError
from entityseg.masks import RunLengths, to_strings


@pytest.mark.parametrize("images_a_group", [1, 2, 256])
def test_loses_nothing(rich, same, tmp_path, images_a_group):
    parquet.write(rich, tmp_path / "set", images_a_group=images_a_group)
    same(parquet.read(tmp_path / "set"), rich)


def test_columns_are_what_other_programs_expect(rich, tmp_path):
    parquet.write(rich, tmp_path / "set")
    table = pq.read_table(tmp_path / "set" / "entities.parquet")
    assert table["area"].to_pylist() == [area for one in rich for area in one.masks.areas.tolist()]
    boxes = np.stack([table[f"bbox_{side}"].to_numpy() for side in ("x", "y", "width", "height")], 1)
    np.testing.assert_array_equal(boxes, np.concatenate([one.masks.boxes for one in rich]))
    assert table["counts"].to_pylist() == [text for one in rich for text in to_strings(one.masks)]
    assert table["image"].to_pylist() == [i for i, one in enumerate(rich) for _ in range(len(one))]


@pytest.mark.parametrize("what", ["no image", "no annotation", "string ids", "no categories"])
def test_edges(same, tmp_path, what):
    image = ImageRecord("ADE_1" if what == "string ids" else 1, "a.jpg", 4, 5)
    empty = np.empty(0, np.int64)
    one = AnnotatedImage(image, RunLengths.empty((4, 5)), empty, empty, np.empty(0, bool))
    if what in ("string ids", "no categories"):
        masks = RunLengths((4, 5), [0, 3], [0, 2])
        one = AnnotatedImage(image, masks, np.array([3]), np.array([1]), np.array([True]))
    categories = [] if what == "no categories" else [Category(1, "a", None)]
    two = [one, replace(one, image=replace(image, id=2), ids=one.ids + 1)]
    dataset = Dataset.build([] if what == "no image" else two, categories)
    parquet.write(dataset, tmp_path / "set")
    same(parquet.read(tmp_path / "set"), dataset)


def many(n: int) -> Dataset:
    """A dataset of n images with two masks each."""
    images = [ImageRecord(i, f"{i}.jpg", 50, 60) for i in range(n)]
    crowd = np.zeros(2, bool)
    return Dataset.build(
        (
            AnnotatedImage(
                image, RunLengths((50, 60), [i, i + 3, 2000, 2001 + i], [0, 2, 4]),
                np.array([2 * i, 2 * i + 1]), np.array([1, 2]), crowd,
            )
            for i, image in enumerate(images)
        ),
        [Category(1, "a"), Category(2, "b")],
    )  # fmt: skip


def count_reads(dataset, monkeypatch):
    """Return a list that grows by the number of each row group that is read."""
    reads = []
    source = dataset.source
    original = source._read_group

    def counted(number):
        reads.append(number)
        return original(number)

    monkeypatch.setattr(source, "_read_group", counted)
    return reads


def test_opening_reads_no_masks_and_a_pass_reads_each_group_once(tmp_path, monkeypatch):
    parquet.write(many(600), tmp_path / "set", images_a_group=64)
    dataset = parquet.read(tmp_path / "set")
    reads = count_reads(dataset, monkeypatch)
    assert dataset.n_annotations == 1200
    assert reads == []
    for one in dataset:
        assert len(one.masks) == 2
    assert reads == list(range(10))
    assert len(dataset.source._kept) <= parquet_tables.GROUPS_KEPT


def test_threads_share_groups_and_get_the_right_masks(tmp_path, monkeypatch):
    want = many(300)
    parquet.write(want, tmp_path / "set", images_a_group=32)
    dataset = parquet.read(tmp_path / "set")
    reads = count_reads(dataset, monkeypatch)
    order = np.random.default_rng(0).permutation(300).tolist()
    with ThreadPoolExecutor(8) as pool:
        for index, masks in zip(order, pool.map(dataset.masks, order), strict=True):
            assert masks == want.masks(index)
        reads.clear()
        assert all(pool.map(lambda i: dataset.masks(i) == want.masks(i), range(300)))
    # One read a group; a thread that the system held up may come back to a group that was let go meanwhile.
    assert set(reads) >= set(range(4, 10)) and len(reads) <= 2 * len(set(reads))


def test_an_unfinished_set_is_not_read(rich, tmp_path):
    parquet.write(rich, tmp_path / "set")
    (tmp_path / "set" / "dataset.json").unlink()
    with pytest.raises(MissingFileError, match=r"never finished.*parquet\.unfinished"):
        parquet.read(tmp_path / "set")


def test_failing_leaves_no_folder(rich, tmp_path):
    class Failing:
        def masks(self, index):
            raise InputError([])

        def extras(self, index):
            return ()

    with pytest.raises(InputError):
        parquet.write(replace(rich, source=Failing()), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_target(rich, same, tmp_path):
    parquet.write(rich, tmp_path / "set")
    with pytest.raises(UsageError, match=r"target\.exists"):
        parquet.write(rich, tmp_path / "set")
    # Even into its own folder: the open tables stay what they were.
    opened = parquet.read(tmp_path / "set")
    parquet.write(opened, tmp_path / "set", overwrite=True, images_a_group=1)
    same(parquet.read(tmp_path / "set"), rich)
    same(opened, rich)


def test_bytes_are_stable(rich, tmp_path):
    for name, threads in (("a", 1), ("b", 3)):
        parquet.write(rich, tmp_path / name, threads=threads)
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def rewrite(folder, name, change):
    """Change a table, and what dataset.json says of its size."""
    path = folder / name
    table = change(pq.read_table(path))
    pq.write_table(table, path)
    about = json.loads((folder / "dataset.json").read_text())
    about["files"][name]["bytes"] = path.stat().st_size
    (folder / "dataset.json").write_text(json.dumps(about))


def set_column(name, values, kind):
    return lambda table: table.set_column(
        table.column_names.index(name), name, [pa.array(values(table), kind)]
    )


@pytest.mark.parametrize(
    ("name", "column", "values", "kind", "match"),
    [
        ("entities.parquet", "image", lambda t: t["image"].to_pylist()[::-1], pa.int64(), r"parquet\.rows"),
        ("entities.parquet", "id", lambda t: [None] * len(t), pa.int64(), r"id: .*missing.*parquet\.null"),
        ("entities.parquet", "id", lambda t: ["1"] * len(t), pa.string(), r"parquet\.column"),
        ("images.parquet", "height", lambda t: [0] * len(t), pa.int64(), r"image\.size"),
        ("images.parquet", "id", lambda t: ["1"] * len(t), pa.string(), r"id\.type"),
        ("images.parquet", "id", lambda t: ["[1]"] * len(t), pa.string(), r"id\.type"),
        ("images.parquet", "extra", lambda t: ["{"] * len(t), pa.string(), r"parquet\.value"),
        ("images.parquet", "entities", lambda t: [1] * len(t), pa.int64(), r"parquet\.rows"),
        ("categories.parquet", "name", lambda t: [None] * len(t), pa.string(), r"category\.invalid"),
    ],
)
def test_wrong_values_are_named(rich, tmp_path, name, column, values, kind, match):
    parquet.write(rich, tmp_path / "set")
    rewrite(tmp_path / "set", name, set_column(column, values, kind))
    with pytest.raises(InputError, match=match):
        parquet.read(tmp_path / "set")


def test_malformed_masks_are_named_when_asked_for(rich, tmp_path):
    parquet.write(rich, tmp_path / "set")
    rewrite(
        tmp_path / "set", "entities.parquet", set_column("counts", lambda t: [b"\xff"] * len(t), pa.binary())
    )
    with pytest.raises(InputError, match=r"entities\.parquet: entities\[0\]: counts"):
        parquet.read(tmp_path / "set").masks(0)


def test_damage_is_noticed(rich, tmp_path):
    """Whatever byte changes, reading either fails with a located error or gives what was written."""
    parquet.write(rich, tmp_path / "set")
    path = tmp_path / "set" / "entities.parquet"
    good = path.read_bytes()
    noticed = 0
    for at in range(4, len(good) - 8, 97):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        try:
            opened = parquet.read(tmp_path / "set")
            for a, b in zip(opened, rich, strict=True):
                assert a.masks == b.masks
        except InputError as error:
            noticed += 1
            assert str(path) in str(error)
    assert noticed > 5


@pytest.mark.parametrize("name", ["images.parquet", "entities.parquet", "categories.parquet"])
def test_cut_and_missing_tables(rich, tmp_path, name):
    parquet.write(rich, tmp_path / "set")
    path = tmp_path / "set" / name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"parquet\.size"):
        parquet.read(tmp_path / "set")
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        parquet.read(tmp_path / "set")


def test_readings(rich, tmp_path):
    parquet.write(rich, tmp_path / "sets" / "val")
    parquet.write(rich, tmp_path / "sets" / "train")
    assert [one.split for one in parquet.readings(tmp_path / "sets")] == ["train", "val"]
    assert parquet.readings(tmp_path / "sets" / "val")[0].path == tmp_path / "sets" / "val"
    assert parquet.readings(tmp_path) == []
