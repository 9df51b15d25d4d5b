"""Every kind of image file is read as 8-bit RGB, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.data.pixels import read_rgb
from entityseg.errors import InputError, MissingFileError

RNG = np.random.default_rng(3)
COLOURS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def kind_of(error: InputError) -> str:
    (finding,) = error.findings
    return finding.kind


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp", "a.gif"])
def test_lossless_kinds_come_back(tmp_path: Path, name: str) -> None:
    picture = Image.fromarray(COLOURS)
    if name.endswith("gif"):
        picture = picture.quantize(64)
    picture.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    np.testing.assert_array_equal(read_rgb(tmp_path / name), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_keep_their_higher_byte(tmp_path: Path, name: str) -> None:
    values = np.array([[0, 255, 256, 32768], [65535, 65280, 1000, 511]], np.uint16)
    Image.fromarray(values).save(tmp_path / name)
    np.testing.assert_array_equal(read_rgb(tmp_path / name), np.repeat((values >> 8)[..., None], 3, axis=2))


def test_cmyk_is_converted(tmp_path: Path) -> None:
    cmyk = np.zeros((4, 4, 4), np.uint8)
    cmyk[..., 0] = 255  # Cyan ink alone takes all red away.
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.tif")
    assert read_rgb(tmp_path / "a.tif")[0, 0].tolist() == [0, 255, 255]


def test_alpha_is_dropped_and_grey_is_spread(tmp_path: Path) -> None:
    rgba = np.dstack([COLOURS, RNG.integers(0, 256, COLOURS.shape[:2], dtype=np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), COLOURS)
    Image.fromarray(COLOURS[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "grey.png"), np.repeat(COLOURS[..., :1], 3, axis=2))


def test_exif_turns_unless_the_record_says_the_stored_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # To be shown turned clockwise.
    Image.fromarray(COLOURS).save(path, exif=exif)
    turned = np.rot90(COLOURS, -1)
    np.testing.assert_array_equal(read_rgb(path), turned)
    np.testing.assert_array_equal(read_rgb(path, (7, 5)), turned)
    np.testing.assert_array_equal(read_rgb(path, (5, 7)), COLOURS)
    with pytest.raises(InputError) as caught:
        read_rgb(path, (10, 14), record="image 3")
    assert kind_of(caught.value) == "image.size" and "image 3" in str(caught.value)


def test_large_images_are_no_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The real limit is 179 million pixels, which some of the set's images come near.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for name in ("a.png", "a.jpg"):
        Image.fromarray(COLOURS).save(tmp_path / name)
        assert read_rgb(tmp_path / name).shape == (5, 7, 3)
    Image.fromarray(COLOURS).save(tmp_path / "a.bmp")
    with pytest.raises(InputError, match="decompression bomb"):
        read_rgb(tmp_path / "a.bmp")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    # Pillow warns of this size, and refuses above twice the limit.
    assert read_rgb(tmp_path / "a.bmp").shape == (5, 7, 3)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_rgb(tmp_path / "none.png")
    whole = tmp_path / "a.jpg"
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole)
    for number, content in enumerate([b"", b"not an image", whole.read_bytes()[:900], b"\x89PNG\r\n\x1a\n"]):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_rgb(path)
        assert kind_of(caught.value) == "image.unreadable" and str(path) in str(caught.value)
    for name, values in (
        ("float.tif", np.ones((3, 3), np.float32)),
        ("deep.tif", np.full((3, 3), 1 << 20, np.int32)),
    ):
        Image.fromarray(values).save(tmp_path / name)
        with pytest.raises(InputError, match=r"floating-point|beyond 16 bits"):
            read_rgb(tmp_path / name)
