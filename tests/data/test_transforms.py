from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from entityseg.data import load
from entityseg.data.compare import compare
from entityseg.data.formats import entity, parquet
from entityseg.data.low_resolution import low_resolution_size, to_low_resolution
from entityseg.data.pixels import read_rgb
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.data.transforms import agnostic, class_aware, subset, top
from entityseg.errors import InputError, UsageError
from entityseg.masks import from_dense, to_dense


@pytest.mark.parametrize("form", [None, entity, parquet])
def test_agnostic_and_back(made, tmp_path, form):
    one_class = agnostic(made.dataset)
    if form is not None:
        form.write(one_class, tmp_path / "set")
        one_class = load(tmp_path / "set")
    assert set(one_class.category_ids.tolist()) == {1}
    assert [(one.id, one.name) for one in one_class.categories] == [(1, "entity")]
    assert compare(made.dataset, class_aware(one_class)).lines() == []


def test_agnostic_twice_is_agnostic_once(made):
    assert compare(made.dataset, class_aware(agnostic(agnostic(made.dataset)))).lines() == []


def test_only_agnostic_datasets_have_a_way_back(made):
    with pytest.raises(InputError, match="does not keep original categories"):
        class_aware(made.dataset)
    one_class = agnostic(made.dataset)
    stripped = Dataset.build(
        [AnnotatedImage(i.image, i.masks, i.ids, i.category_ids, i.iscrowd) for i in one_class],
        one_class.categories,
    )
    with pytest.raises(InputError) as error:
        class_aware(stripped)
    assert error.value.findings.errors == made.dataset.n_annotations


def test_subset_by_category_thing_and_image(made):
    dataset = made.dataset
    chosen = subset(dataset, categories=[7])
    assert [one.id for one in chosen.categories] == [7]
    assert len(chosen) == len(dataset)
    for one, before in zip(chosen, dataset, strict=True):
        assert one.ids.tolist() == before.ids[before.category_ids == 7].tolist()
        assert one.masks == before.masks[before.category_ids == 7]
        assert [one.extra_of(k) for k in range(len(one))] == [{"attribute": f"a{k}"} for k in one.ids]
    things, stuff = subset(dataset, thing=True), subset(dataset, thing=False)
    assert sorted([*things.ids.tolist(), *stuff.ids.tolist()]) == sorted(dataset.ids.tolist())
    two = subset(dataset, images=[12, 10])
    assert [image.id for image in two.images] == [10, 12]
    assert two.categories == dataset.categories
    assert two[1].masks == dataset[2].masks
    assert [image.id for image in subset(dataset, drop_empty=True).images] == [10, 11, 12]
    assert len(subset(dataset, categories=[], drop_empty=True)) == 0


def test_subset_of_a_subset_can_be_written(made, tmp_path):
    chosen = subset(subset(made.dataset, thing=True), images=[11, 12], categories=[9])
    entity.write(chosen, tmp_path / "a.json")
    assert compare(chosen, load(tmp_path / "a.json")).lines() == []


def test_subset_refuses_what_is_not_there(made):
    with pytest.raises(UsageError, match="no category"):
        subset(made.dataset, categories=[7, 8])
    with pytest.raises(UsageError, match="no image"):
        subset(made.dataset, images=["10"])
    unsaid = Dataset.build(list(made.dataset), [Category(3, "a"), Category(7, "b", True)])
    with pytest.raises(UsageError, match="do not say"):
        subset(unsaid, thing=True)


def test_top_by_hand():
    masks = np.zeros((5, 4, 10), bool)
    for k, columns in enumerate([(0, 1), (1, 2), (2, 3), (3, 6), (6, 10)]):
        masks[k, :, slice(*columns)] = True
    ids = np.array([5, 5, 2, 2, 9])
    one = AnnotatedImage(ImageRecord(1, "a", 4, 10), from_dense(masks), np.arange(5), ids, np.zeros(5, bool))
    categories = [Category(9, "x", False), Category(5, "y", True), Category(2, "z", True)]
    dataset = Dataset.build([one], categories)
    assert top(dataset, 3) == [2, 5, 9]
    # 4 x 4 pixels of 2, 4 x 4 of 9, 4 x 2 of 5.
    assert top(dataset, 3, by="pixels") == [2, 9, 5]
    assert top(dataset, 1, by="pixels") == [2]
    assert top(dataset, 5, thing=False) == [9]
    crowd = AnnotatedImage(one.image, one.masks, one.ids, ids, np.array([0, 0, 1, 1, 0], bool))
    assert top(Dataset.build([crowd], categories), 3) == [5, 9]
    with pytest.raises(UsageError):
        top(dataset, 0)


# Hand-computed: scale = 800 / short side, then 1333 / long side where that exceeds 1333; half up.
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((3000, 4000), (800, 1067)),
        ((4000, 3000), (1067, 800)),
        ((1000, 4000), (333, 1333)),
        ((801, 801), (800, 800)),
        ((800, 1333), (800, 1333)),
        ((800, 1334), (799, 1333)),
        ((480, 640), (480, 640)),
        ((200, 5000), (53, 1333)),
        ((1, 9000), (1, 1333)),
    ],
)
def test_low_resolution_size_by_hand(size, expected):
    assert low_resolution_size(size) == expected


@given(st.integers(1, 20000), st.integers(1, 20000))
def test_low_resolution_size_never_grows_and_keeps_the_limits(height, width):
    new = low_resolution_size((height, width))
    assert new[0] <= height
    assert new[1] <= width
    if new != (height, width):
        assert max(new) <= 1333
        assert min(new) <= 800
        assert 800 in new or 1333 in new
        # The shape is kept, up to half a pixel.
        assert abs(min(new) - min(height, width) * max(new) / max(height, width)) <= 1
    assert low_resolution_size((width, height)) == new[::-1]


def test_masks_become_nearest_and_vanished_ones_are_counted(tmp_path):
    labels = np.zeros((40, 60), np.int64)
    labels[5:25, 10:50] = 1
    labels[30, 31] = 2
    dense = np.stack([labels == 1, labels == 2, np.zeros_like(labels, bool)])
    one = AnnotatedImage(
        ImageRecord(4, "a.png", 40, 60), from_dense(dense), np.array([8, 9, 10]), np.array([1, 1, 1]),
        np.zeros(3, bool), [{"k": 1}, {"k": 2}, {"k": 3}],
    )  # fmt: skip
    low = to_low_resolution(Dataset.build([one], [Category(1, "x")]), short=10, long=100)
    assert low.dataset.images[0].size == (10, 15)
    assert low.vanished == ((4, 9),)
    assert low.resized == 1
    # A mask without a pixel did not vanish here.
    assert low.dataset.ids.tolist() == [8, 10]
    expected = Image.fromarray((labels == 1).astype(np.uint8)).resize((15, 10), Image.Resampling.NEAREST)
    assert np.array_equal(to_dense(low.dataset.masks(0))[0], np.asarray(expected) == 1)
    assert low.dataset[0].extra_of(1) == {"k": 3}


def image_dataset(root, sizes, names=None):
    rng = np.random.default_rng(0)
    annotated = []
    for k, (height, width) in enumerate(sizes):
        name = names[k] if names else f"sub/{k}.{'png' if k % 2 else 'jpg'}"
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (height, width, 3)).astype(np.uint8)).save(path, quality=95)
        full = from_dense(np.ones((1, height, width), bool))
        annotated.append(
            AnnotatedImage(
                ImageRecord(k, name, height, width), full, np.array([k]), np.ones(1, int), np.zeros(1, bool)
            )
        )
    return Dataset.build(annotated, [Category(1, "x")], image_root=root)


def test_images_become_bilinear(tmp_path):
    dataset = image_dataset(tmp_path / "hr", [(40, 60), (40, 60), (8, 9)])
    low = to_low_resolution(dataset, short=20, long=33, image_out=tmp_path / "lr")
    assert low.dataset.image_root == tmp_path / "lr"
    assert [image.size for image in low.dataset.images] == [(20, 30), (20, 30), (8, 9)]
    for image in low.dataset.images:
        with Image.open(tmp_path / "lr" / image.file_name) as opened:
            assert opened.size == (image.width, image.height)
    with Image.open(tmp_path / "hr/sub/1.png") as hr, Image.open(tmp_path / "lr/sub/1.png") as lr:
        expected = hr.resize((30, 20), Image.Resampling.BILINEAR)
        assert np.array_equal(np.asarray(expected), np.asarray(lr))


def test_a_second_run_goes_on_where_the_first_was(tmp_path):
    dataset = image_dataset(tmp_path / "hr", [(40, 60), (40, 60)])
    to_low_resolution(dataset, short=20, long=33, image_out=tmp_path / "lr")
    kept, cut = tmp_path / "lr/sub/0.jpg", tmp_path / "lr/sub/1.png"
    before = kept.stat().st_mtime_ns
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-30])
    to_low_resolution(dataset, short=20, long=33, image_out=tmp_path / "lr")
    assert kept.stat().st_mtime_ns == before
    assert cut.read_bytes() == whole


@pytest.mark.parametrize(
    ("name", "kind", "order"),
    [("a.png", "PNG", "<"), ("a.jpg", "PNG", "<"), ("a.tif", "TIFF", "<"), ("a.tiff", "TIFF", ">")],
)
def test_grey_of_16_bits_is_not_cut_to_8(tmp_path, name, kind, order):
    dataset = image_dataset(tmp_path / "hr", [(40, 60)], [name])
    values = np.linspace(0, 65535, 2400).reshape(40, 60).astype(f"{order}u2")
    mode = "I;16" if order == "<" else "I;16B"
    Image.frombytes(mode, (60, 40), values.tobytes()).save(tmp_path / "hr" / name, format=kind)
    to_low_resolution(dataset, short=20, long=33, image_out=tmp_path / "lr")
    small = read_rgb(tmp_path / "lr" / name, (20, 30))[..., 0].astype(int)
    assert np.abs(small - (values[::2, ::2].astype(int) >> 8)).max() <= 8
    assert small.min() <= 8 and small.max() >= 247


def test_floating_point_images_are_refused(tmp_path):
    dataset = image_dataset(tmp_path / "hr", [(40, 60)], ["a.tif"])
    Image.new("F", (60, 40), 0.5).save(tmp_path / "hr" / "a.tif")
    with pytest.raises(InputError, match="floating-point"):
        to_low_resolution(dataset, short=20, long=33, image_out=tmp_path / "lr")


def test_orientation_of_cameras_is_applied_where_only_that_fits(tmp_path):
    dataset = image_dataset(tmp_path / "hr", [(40, 60)], ["a.jpg"])
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(tmp_path / "hr/a.jpg") as opened:
        opened.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "hr/a.jpg", exif=exif, quality=95)
    to_low_resolution(dataset, short=20, long=33, image_out=tmp_path / "lr")
    with Image.open(tmp_path / "lr/a.jpg") as opened:
        assert opened.size == (30, 20)
        assert opened.getexif().get(0x0112) is None


def test_bad_images_are_all_named(tmp_path):
    dataset = image_dataset(tmp_path / "hr", [(40, 60)] * 3)
    (tmp_path / "hr/sub/0.jpg").unlink()
    Image.new("RGB", (30, 20)).save(tmp_path / "hr/sub/1.png")
    (tmp_path / "hr/sub/2.jpg").write_bytes((tmp_path / "hr/sub/2.jpg").read_bytes()[:300])
    with pytest.raises(InputError) as error:
        to_low_resolution(dataset, short=20, long=33, image_out=tmp_path / "lr")
    kinds = [finding.kind for finding in error.value.findings]
    assert kinds == ["image.missing", "image.size", "image.unreadable"]


def test_originals_are_never_replaced(tmp_path):
    dataset = image_dataset(tmp_path / "hr", [(40, 60)])
    with pytest.raises(UsageError, match="originals"):
        to_low_resolution(dataset, image_out=tmp_path / "hr")
    with pytest.raises(UsageError, match="short side"):
        to_low_resolution(dataset, short=10, long=9)
