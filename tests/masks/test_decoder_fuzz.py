"""A million mutated RLE strings against the strict decoder: no crash, no hang, and what it accepts is what it means."""

from __future__ import annotations

import multiprocessing
import random
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from entityseg.errors import InputError
from entityseg.masks import RunLengths, from_counts, to_dense, to_strings
from entityseg.masks.coco import compress, decode

N_STRINGS = 1_000_000
BATCH = 20_000
# Small images, so that the dense comparison is cheap; the last one takes numbers of several characters.
SIZES = [(1, 1), (3, 4), (9, 11), (16, 16), (70, 61)]
CHILD_SECONDS = 120


def random_runs(rng: random.Random, pixels: int) -> list[int]:
    edges = sorted(rng.randrange(pixels + 1) for _ in range(rng.randrange(12)))
    return [b - a for a, b in zip([0, *edges], [*edges, pixels], strict=True)]


def break_bytes(rng: random.Random, text: bytes) -> bytes:
    """Edit characters, as a bad disk, a bad writer or an attacker does."""
    data = bytearray(text)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        byte = rng.randrange(256) if rng.random() < 0.3 else rng.randrange(48, 112)
        if kind == 0:
            data.insert(at, byte)
        elif kind == 1 and data:
            data[at % len(data)] = byte
        elif kind == 2 and data:
            del data[at % len(data)]
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            data[at:at] = data[at : at + rng.randrange(1, 5)]
        elif data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
    return bytes(data)


def move_runs(rng: random.Random, runs: list[int]) -> bytes:
    """Edit lengths so that they still add up: many results are valid, some have empty or negative runs."""
    runs = list(runs)
    for _ in range(rng.randrange(1, 4)):
        kind = rng.randrange(4)
        at = rng.randrange(len(runs))
        if kind == 0:
            other, amount = rng.randrange(len(runs)), rng.randrange(-3, 9)
            runs[at] += amount
            runs[other] -= amount
        elif kind == 1:
            part = rng.randrange(runs[at] + 1) if runs[at] >= 0 else 0
            runs[at : at + 1] = [part, 0, runs[at] - part]
        elif kind == 2:
            runs[at:at] = [0, 0]
        else:
            runs[at : at + 1] = [runs[at], 0]
    text = compress(runs)
    if rng.random() < 0.1:
        # Pad the last number: legal, but no encoder writes it.
        last = text[-1] - 48
        text = text[:-1] + bytes([48 + (last | 32), 48 + (31 if last & 16 else 0)])
    return text


def mutated(rng: random.Random, pixels: int, count: int) -> list[bytes]:
    texts = []
    for i in range(count):
        runs = random_runs(rng, pixels)
        texts.append(break_bytes(rng, compress(runs)) if i % 2 else move_runs(rng, runs))
    return texts


def decode_by_pycocotools(
    jobs: list[tuple[tuple[int, int], list[bytes]]], answer: multiprocessing.connection.Connection
) -> None:
    from pycocotools import mask as coco_mask

    for size, texts in jobs:
        dense = coco_mask.decode([{"size": list(size), "counts": text} for text in texts])
        answer.send(np.packbits(dense.transpose(2, 0, 1)).tobytes())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_million_mutated_strings() -> None:
    rng = random.Random(0)
    accepted: list[tuple[tuple[int, int], list[bytes]]] = []
    expected: list[bytes] = []
    tried = 0
    slowest = 0.0
    for start in range(0, N_STRINGS, BATCH):
        size = SIZES[start // BATCH % len(SIZES)]
        texts = mutated(rng, size[0] * size[1], BATCH)
        tried += len(texts)
        begin = time.perf_counter()
        masks, fine = decode_batch(texts, size)
        slowest = max(slowest, time.perf_counter() - begin)
        rows = np.flatnonzero(fine)
        # A value in normal form: making it again from its own string gives the same arrays.
        kept = masks[rows]
        assert kept == RunLengths(size, kept.edges, kept.offsets)
        assert from_counts(to_strings(kept), size) == kept
        accepted.append((size, [texts[row] for row in rows]))
        expected.append(np.packbits(to_dense(kept)).tobytes())
    assert tried == N_STRINGS
    n_accepted = sum(len(texts) for _, texts in accepted)
    assert n_accepted > N_STRINGS // 5
    # 20,000 strings of some ten characters; seconds would mean that something grows without bound.
    assert slowest < 5

    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=decode_by_pycocotools, args=(accepted, send))
    child.start()
    try:
        deadline = time.monotonic() + CHILD_SECONDS
        for (size, texts), ours in zip(accepted, expected, strict=True):
            assert receive.poll(max(0.0, deadline - time.monotonic())), (
                "pycocotools hangs on an accepted string"
            )
            assert receive.recv() == ours, f"a mask of size {size} among {len(texts)} differs"
    finally:
        child.kill()
        child.join()


def decode_batch(texts: list[bytes], size: tuple[int, int]) -> tuple[RunLengths, NDArray[np.bool_]]:
    lengths = np.array([len(text) for text in texts], np.int64)
    stops = np.cumsum(lengths)
    masks, problems = decode(np.frombuffer(b"".join(texts), np.uint8), stops - lengths, stops, size)
    return masks, problems[:, 0] == 0


def test_every_refusal_is_an_input_error() -> None:
    """The same strings through the public door, one by one: only `InputError`, and the batch decoder agrees."""
    rng = random.Random(1)
    for size in SIZES:
        texts = mutated(rng, size[0] * size[1], 1500)
        _, fine = decode_batch(texts, size)
        for text, good in zip(texts, fine, strict=True):
            try:
                from_counts([text], size)
                refused = False
            except InputError as error:
                refused = True
                (finding,) = error.findings
                assert finding.kind.startswith("rle.") and finding.remedy and finding.record == "masks[0]"
            assert refused != good
