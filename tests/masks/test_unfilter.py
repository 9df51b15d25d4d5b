"""The filters of PNG rows, undone: against the standard's formulas byte by byte, and against Pillow."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from entityseg.errors import InputError
from entityseg.masks import _unfilter, from_panoptic_png, to_id_map


def filtered(pixels: NDArray[np.uint8], step: int, kinds: list[int]) -> bytes:
    """Return the rows [height, bytes] filtered as PNG's section 9 says, one kind a row."""
    result = bytearray()
    before = [0] * pixels.shape[1]
    for row, kind in zip(pixels.tolist(), kinds, strict=True):
        result.append(kind)
        for i, value in enumerate(row):
            a, b, c = row[i - step] if i >= step else 0, before[i], before[i - step] if i >= step else 0
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            result.append((value - (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
        before = row
    return bytes(result)


def png(stream: bytes, width: int, height: int, bits: int, colour: int, level: int = 6) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    packed = zlib.compress(stream, level)
    # Several chunks, as writers make them.
    parts = [packed[: len(packed) // 3], packed[len(packed) // 3 :]]
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(
        chunk(b"IDAT", part) for part in parts
    ) + chunk(b"IEND", b"")  # fmt: skip


def flat_rows(rng: np.random.Generator, height: int, n: int, step: int) -> NDArray[np.uint8]:
    """Rows as maps of ids have them: long stretches of one pixel, many equal to the row above."""
    rows = np.zeros((height, n), np.uint8)
    for y in range(height):
        rows[y] = rows[y - 1] if y and rng.random() < 0.7 else 0
        for _ in range(rng.integers(0, 4)):
            start, stop = np.sort(rng.integers(0, n // step + 1, 2)) * step
            rows[y, start:stop] = np.tile(rng.integers(0, 256, step), (stop - start) // step)
        if rng.random() < 0.1:
            rows[y] = rng.integers(0, 256, n)
    return rows


@given(
    seed=st.integers(0, 2**32 - 1),
    step=st.sampled_from([1, 2, 3]),
    columns=st.integers(1, 150),
    kinds=st.lists(st.integers(0, 4), min_size=1, max_size=8),
)
def test_undoes_every_filter(seed: int, step: int, columns: int, kinds: list[int]) -> None:
    rows = flat_rows(np.random.default_rng(seed), len(kinds), columns * step, step)
    stream = np.frombuffer(filtered(rows, step, kinds), np.uint8).reshape(len(kinds), -1)
    out = np.empty_like(rows)
    assert _unfilter.unfilter(stream, step, out) == -1
    np.testing.assert_array_equal(out, rows)


@pytest.mark.parametrize(("bits", "colour", "step"), [(8, 0, 1), (16, 0, 2), (8, 2, 3)])
@pytest.mark.parametrize("kind", range(5))
def test_whole_files_read_as_pillow_reads_them(bits: int, colour: int, step: int, kind: int) -> None:
    rng = np.random.default_rng(kind)
    rows = flat_rows(rng, 40, 130 * step, step)
    data = png(filtered(rows, step, [kind] * 40), 130, 40, bits, colour)
    pixels = np.asarray(Image.open(io.BytesIO(data))).astype(np.int64)
    want = pixels @ [1, 256, 65536] if step == 3 else pixels
    ids, masks = from_panoptic_png(data, background=None)
    np.testing.assert_array_equal(to_id_map(masks, ids, np.int64, background=-1), want)


def test_an_unknown_filter_and_a_short_stream_are_damage() -> None:
    rows = np.ones((4, 6), np.uint8)
    good = filtered(rows, 1, [0] * 4)
    assert from_panoptic_png(png(good, 6, 4, 8, 0))[0].tolist() == [1]
    for stream in (b"\x05" + good[1:], good[:-1], good[:7]):
        with pytest.raises(InputError, match="png.damaged"):
            from_panoptic_png(png(stream, 6, 4, 8, 0))


def test_bytes_behind_the_last_row_do_not_count() -> None:
    good = filtered(np.ones((4, 6), np.uint8), 1, [0] * 4)
    assert from_panoptic_png(png(good + bytes(100_000), 6, 4, 8, 0))[1].areas.tolist() == [24]
