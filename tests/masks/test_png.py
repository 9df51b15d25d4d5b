"""PNG files of ids, against Pillow and the plain loop, and files that are not whole."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from entityseg.errors import InputError, MissingFileError
from entityseg.masks import RunLengths, from_dense, from_id_map, from_panoptic_png, to_id_png, to_panoptic_png
from tests.strategies import checked, partition, pixels_of


def _bytes(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def _rgb(ids: NDArray[np.int64]) -> Image.Image:
    """The format's definition, channel by channel."""
    return Image.fromarray(
        np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8), "RGB"
    )


def _map(seed: int = 0, shape: tuple[int, int] = (90, 131), most: int = 2**24 - 1) -> NDArray[np.int64]:
    """An id map with void and large ids."""
    rng = np.random.default_rng(seed)
    palette = np.concatenate([[0], np.sort(rng.choice(most, 6, replace=False) + 1)])
    return palette[partition(rng, 7, *shape) - 1]


def _same(got: tuple[NDArray[np.int64], RunLengths], ids: NDArray[np.int64]) -> None:
    want = np.setdiff1d(np.unique(ids), [0])
    assert got[0].tolist() == want.tolist()
    assert np.array_equal(
        pixels_of(checked(got[1])), np.array([ids == k for k in want]).reshape(-1, *ids.shape)
    )


def test_reading_rgb() -> None:
    for shape in [(90, 131), (1, 64), (64, 1), (1, 1)]:
        ids = _map(1, shape)
        _same(from_panoptic_png(_bytes(_rgb(ids)), size=shape), ids)
        _same(from_panoptic_png(_bytes(_rgb(ids), optimize=True)), ids)


def test_reading_the_other_kinds() -> None:
    small, large = _map(2, most=255), _map(2, most=65535)
    _same(from_panoptic_png(_bytes(Image.fromarray(small.astype(np.uint8), "L"))), small)
    _same(from_panoptic_png(_bytes(Image.fromarray(large.astype(np.uint16)))), large)
    palette = Image.fromarray(small.astype(np.uint8), "P")
    palette.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    _same(from_panoptic_png(_bytes(palette)), small)
    # Palettes of few colours are packed to 1, 2 or 4 bits.
    for bits in (1, 2, 4):
        few = small % 2**bits
        image = Image.fromarray(few.astype(np.uint8), "P")
        image.putpalette(bytes(range(3 * 2**bits)))
        data = _bytes(image, bits=bits)
        assert data[24] == bits
        _same(from_panoptic_png(data), few)


def test_keeping_the_void() -> None:
    ids = _map(3)
    found, masks = from_panoptic_png(_bytes(_rgb(ids)), background=None)
    assert found[0] == 0 and masks.areas.sum() == ids.size


def test_writing(tmp_path: Path) -> None:
    for most, mode in [(65535, "I;16"), (2**24 - 1, "RGB")]:
        ids = _map(4, most=most)
        found, masks = from_id_map(ids)
        to_panoptic_png(tmp_path / "panoptic.png", masks, found)
        with Image.open(tmp_path / "panoptic.png") as image:
            assert image.mode == "RGB" and np.array_equal(np.asarray(image), np.asarray(_rgb(ids)))
        to_id_png(tmp_path / "ids.png", masks, found)
        with Image.open(tmp_path / "ids.png") as image:
            assert image.mode == mode
            assert np.array_equal(np.asarray(image), ids if mode == "I;16" else np.asarray(_rgb(ids)))
        for name in ("panoptic.png", "ids.png"):
            _same(from_panoptic_png(tmp_path / name), ids)
            before = (tmp_path / name).read_bytes()
            to_panoptic_png(tmp_path / name, masks, found) if name == "panoptic.png" else to_id_png(
                str(tmp_path / name), masks, found
            )
            assert (tmp_path / name).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ids.png", "panoptic.png"]


def test_writing_no_masks(tmp_path: Path) -> None:
    to_id_png(tmp_path / "empty.png", RunLengths.empty((5, 6)))
    found, masks = from_panoptic_png(tmp_path / "empty.png", size=(5, 6))
    assert len(found) == 0 and masks == RunLengths.empty((5, 6))


def test_what_a_map_cannot_hold(tmp_path: Path) -> None:
    masks = from_dense(np.array([[[1, 1, 0]], [[0, 1, 1]]], bool))
    apart = from_dense(np.array([[[1, 0, 0]], [[0, 1, 1]]], bool))
    with pytest.raises(InputError, match="overlap by 1 pixels"):
        to_panoptic_png(tmp_path / "a.png", masks, [1, 2])
    for ids, words in [
        ([3, 3], "same id"),
        ([0, 1], "background"),
        ([1, 2**24], "within"),
        ([-1, 2], "within"),
    ]:
        with pytest.raises(InputError, match=words):
            to_panoptic_png(tmp_path / "a.png", apart, ids)
        with pytest.raises(InputError, match=words):
            to_id_png(tmp_path / "a.png", apart, ids)
    assert not list(tmp_path.iterdir())


def test_truncated_at_every_byte() -> None:
    data = _bytes(_rgb(_map(5, (9, 8))))
    for stop in range(len(data)):
        with pytest.raises(InputError, match=r"cut|no PNG") as caught:
            from_panoptic_png(data[:stop])
        assert all(finding.remedy for finding in caught.value.findings)


def test_one_byte_damaged_anywhere() -> None:
    data = _bytes(_rgb(_map(5, (9, 8))))
    for position in range(len(data)):
        for flip in (1, 0x80):
            broken = bytearray(data)
            broken[position] ^= flip
            with pytest.raises(InputError):
                from_panoptic_png(bytes(broken))


def _png(width: int, height: int, bits: int, colour: int, packed: bytes, *, twice: bool = False) -> bytes:
    """A PNG from hand-made parts, its checksums right."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header)] * (1 + twice) + [(b"IDAT", packed), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (_png(4, 2, 8, 0, zlib.compress(bytes(10)), twice=True), "png.damaged"),
        (_png(4, 2, 8, 0, zlib.compress(bytes(5))), "png.damaged"),
        (_png(4, 2, 8, 0, zlib.compress(bytes(9))), "png.damaged"),
        (_png(4, 2, 8, 0, zlib.compress(b"\0\7\7\7\7")), "png.damaged"),
        (_png(4, 2, 8, 0, b"not deflate"), "png.damaged"),
        (_png(4, 2, 8, 0, zlib.compress(b"\x09" * 10)), "png.damaged"),
        (_png(65000, 65000, 8, 2, zlib.compress(bytes(1000))), "png.damaged"),
        (_png(2**31 - 1, 2**31 - 1, 8, 2, zlib.compress(bytes(1000))), "mask.size"),
        (_png(0, 4, 8, 0, zlib.compress(bytes(4))), "mask.size"),
        (_png(4, 2, 8, 6, zlib.compress(bytes(34))), "png.kind"),
        (_png(4, 2, 16, 2, zlib.compress(bytes(50))), "png.kind"),
        (_png(4, 2, 4, 0, zlib.compress(bytes(6))), "png.kind"),
        (_png(4, 2, 7, 0, zlib.compress(bytes(10))), "png.kind"),
        (b"", "png.type"),
        (b"\xff\xd8\xff\xe0 a JPEG", "png.type"),
        (b"\x89PNG\r\n\x1a\n", "png.damaged"),
    ],
)
def test_files_that_hold_no_ids(data: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError) as caught:
        from_panoptic_png(tmp_path / "a.png")
    (finding,) = caught.value.findings
    assert finding.kind == kind and finding.remedy and finding.file == str(tmp_path / "a.png")


def test_other_chunks_and_large_images_are_fine() -> None:
    """Pillow alone would warn of this image, which is larger than its limit; that limit stays as it was."""
    limit = Image.MAX_IMAGE_PIXELS
    image = Image.new("L", (16000, 12000), 7)
    data = _bytes(image, compress_level=1)
    found, masks = from_panoptic_png(data, size=(12000, 16000))
    assert found.tolist() == [7] and masks.areas.tolist() == [16000 * 12000]
    assert limit == Image.MAX_IMAGE_PIXELS


def test_void_at_the_bottom_is_no_damage() -> None:
    """Rows that Pillow would also give for a file that ends early."""
    ids = _map(7)
    ids[60:] = 0
    _same(from_panoptic_png(_bytes(_rgb(ids))), ids)
    _same(
        from_panoptic_png(_bytes(Image.fromarray(np.zeros((900, 1100), np.uint8)))),
        np.zeros((900, 1100), int),
    )


def _interlaced(ids: NDArray[np.int64]) -> bytes:
    """8-bit grey in the seven passes of section 8.1, no filter."""
    packed = b""
    for x, y, dx, dy in [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]:
        part = ids[y::dy, x::dx].astype(np.uint8)
        packed += b"".join(b"\0" + row.tobytes() for row in part if part.size)
    data = bytearray(_png(ids.shape[1], ids.shape[0], 8, 0, zlib.compress(packed)))
    data[28] = 1
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize("shape", [(31, 45), (1, 1), (3, 2), (8, 8), (1, 9), (9, 1)])
def test_interlaced(shape: tuple[int, int]) -> None:
    ids = np.random.default_rng(0).integers(0, 5, shape)
    _same(from_panoptic_png(_interlaced(ids)), ids)
    with pytest.raises(InputError, match=r"fewer rows|cannot be decoded"):
        header = _png(shape[1], shape[0] + 1, 8, 0, b"")[16:24]
        data = bytearray(_interlaced(ids))
        data[16:24] = header
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        from_panoptic_png(bytes(data))


def test_another_size() -> None:
    with pytest.raises(InputError, match=r"90 x 131, the image's is 131 x 90.*swapped") as caught:
        from_panoptic_png(_bytes(_rgb(_map(6))), size=(131, 90))
    assert [finding.kind for finding in caught.value.findings] == ["png.size"]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        from_panoptic_png(tmp_path / "a.png")


def test_real_panoptic_images(shared_data: Path) -> None:
    paths = sorted((shared_data / "coco_panoptic_sample" / "panoptic_examples").glob("*.png"))
    assert paths
    for path in paths:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB")).astype(np.int64)
        _same(from_panoptic_png(path), pixels[..., 0] + 256 * pixels[..., 1] + 65536 * pixels[..., 2])
