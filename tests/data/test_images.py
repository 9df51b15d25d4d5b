"""Finding image files, and reading sizes, orientation and wholeness without decoding."""

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from entityseg.data import load
from entityseg.data.formats import entity
from entityseg.data.image_header import read_header
from entityseg.data.images import ImageFinder, find_image
from entityseg.data.records import Dataset, ImageRecord
from entityseg.errors import InputError, MissingFileError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


@pytest.mark.parametrize(
    ("file", "asked", "how"),
    [
        ("entity_01_11580/a.jpg", "entity_01_11580/a.jpg", "as written"),
        ("entity_01_11580/images_merge/a.jpg", "entity_01_11580/a.jpg", "archive"),
        ("entity_02_11598/images/a.jpg", "entity_02_11598/a.jpg", "archive"),
        ("entity_03_10049/images_03_10049/a.jpg", "entity_03_10049/a.jpg", "archive"),
        ("somewhere/deep/a.jpg", "entity_01_11580/a.jpg", "moved"),
        ("entity_01_11580/a.JPEG", "entity_01_11580/a.jpg", "renamed"),
        ("entity_01_11580/A.png", "entity_01_11580/a.jpg", "renamed"),
        ("a.b.jpg", "a.b.JPG", "renamed"),
        ("a.txt", "a.jpg", "missing"),
        ("panoptic_val2017/a.png", "a.jpg", "missing"),
        ("entityseg_panseg_maps_val/panoptic_maps_val/a.png", "entity_01_11580/a.jpg", "missing"),
        ("deep/annotations/a.png", "a.jpg", "missing"),
        ("maps/a.png", "maps/a.png", "as written"),
        ("photos/roadmaps/a.jpg", "a.jpg", "moved"),
    ],
)
def test_finder(tmp_path, file, asked, how):
    path = touch(tmp_path / file)
    found = ImageFinder(tmp_path).locate(asked)
    assert found.how == how
    assert found.path == (None if how == "missing" else path)


def test_bare_names_start_from_the_subsets_folder(tmp_path):
    path = touch(tmp_path / "entity_03_10049" / "images_03_10049" / "a.jpg")
    found = ImageFinder(tmp_path / "entity_03_10049").locate("a.jpg")
    assert (found.path, found.how) == (path, "archive")


def test_same_names_are_told_apart_by_the_records_folder_or_reported(tmp_path):
    first = touch(tmp_path / "x" / "entity_01_11580" / "deep" / "a.jpg")
    second = touch(tmp_path / "x" / "entity_02_11598" / "deep" / "a.jpg")
    finder = ImageFinder(tmp_path)
    assert finder.find("entity_01_11580/a.jpg") == first
    assert finder.find("entity_02_11598/a.jpg") == second
    found = finder.locate("a.jpg")
    assert (found.how, found.path, set(found.candidates)) == ("ambiguous", None, {first, second})


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/passwd", "x/../../a.jpg", "", "C:\\a.jpg", "a\0.jpg", "..\\a.jpg"]
)
def test_names_never_leave_the_folder(tmp_path, name):
    touch(tmp_path / "a.jpg")
    (tmp_path / "in").mkdir()
    assert ImageFinder(tmp_path / "in").locate(name).how == "outside"


def test_links_in_a_circle_end_and_long_names_are_missing(tmp_path):
    touch(tmp_path / "a" / "x.jpg")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    finder = ImageFinder(tmp_path)
    assert finder.find("x.jpg") == tmp_path / "a" / "x.jpg"
    assert finder.locate("y" * 5000 + ".jpg").how == "missing"


def test_find_image_of_a_dataset(tmp_path):
    path = touch(tmp_path / "a.jpg")
    image = ImageRecord(1, "a.jpg", 2, 2)
    assert find_image(Dataset.build([], [], image_root=tmp_path), image) == path
    assert find_image(Dataset.build([], [], path=tmp_path / "x.json"), image) == path
    assert find_image(Dataset.build([], []), image) is None


def test_opening_a_dataset_again_looks_for_its_images_again(tmp_path):
    entity.write(Dataset.build([], []), tmp_path / "set.json")
    image = ImageRecord(1, "a.jpg", 2, 2)
    assert find_image(load(tmp_path / "set.json"), image) is None
    path = touch(tmp_path / "unpacked" / "a.jpg")
    assert find_image(load(tmp_path / "set.json"), image) == path


def picture(kind, size=(37, 21), **options):
    data = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(data, kind, **options)
    return data.getvalue()


def with_orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_size(tmp_path, kind):
    (tmp_path / "a").write_bytes(picture(kind))
    header = read_header(tmp_path / "a")
    assert (header.size, header.orientation, header.whole) == ((21, 37), 1, True)


def test_progressive_jpeg_behind_large_segments(tmp_path):
    data = picture("JPEG", progressive=True, icc_profile=bytes(200_000), comment=b"\xff\xc0" * 999)
    (tmp_path / "a.jpg").write_bytes(data)
    assert read_header(tmp_path / "a.jpg").size == (21, 37)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_pillows(tmp_path, kind, value):
    (tmp_path / "a").write_bytes(picture(kind, exif=with_orientation(value)))
    header = read_header(tmp_path / "a")
    assert header.orientation == value
    from PIL import ImageOps

    with Image.open(tmp_path / "a") as image:
        assert header.shown_size == ImageOps.exif_transpose(image).size[::-1]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_cut_file_is_noticed(tmp_path, kind):
    data = picture(kind, (300, 200))
    (tmp_path / "a").write_bytes(data[: len(data) * 3 // 4])
    assert not read_header(tmp_path / "a").whole
    (tmp_path / "a").write_bytes(data + b"\0" * 500)
    assert read_header(tmp_path / "a").whole


def test_huge_pictures_are_only_named(tmp_path):
    head = struct.pack(">IIBBBBB", 15000, 900_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT")
    assert read_header(tmp_path / "a.png").size == (900_000, 15000)


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG"]),
    at=st.integers(0, 400),
    byte=st.integers(0, 255),
    cut=st.integers(0, 900),
)
def test_broken_headers_raise_nothing_else(tmp_path_factory, kind, at, byte, cut):
    data = bytearray(picture(kind, exif=with_orientation(6)))
    data[at % len(data)] = byte
    path = tmp_path_factory.getbasetemp() / "broken"
    path.write_bytes(data[: max(1, len(data) - cut)])
    try:
        assert min(read_header(path).size) > 0
    except InputError as error:
        assert "image.unreadable" in str(error)


def test_what_is_no_image(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image at all")
    with pytest.raises(InputError, match=r"a\.jpg.*image\.unreadable"):
        read_header(tmp_path / "a.jpg")
    with pytest.raises(MissingFileError):
        read_header(tmp_path / "b.jpg")
