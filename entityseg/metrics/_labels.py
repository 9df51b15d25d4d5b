"""Kernel: how often each pair of a true and a predicted label occurs, in one pass over the pixels."""

from __future__ import annotations

from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(types.void, readonly(types.uint8, 2), readonly(types.uint8, 2), types.int64[:, ::1])
def count_pairs(gt, pred, counts):  # type: ignore[no-untyped-def]
    """Add the pixels of each pair of labels to `counts` [256, 256], true labels by row."""
    for y in range(gt.shape[0]):
        true, found = gt[y, 0], pred[y, 0]
        n = 0
        for x in range(gt.shape[1]):
            # Labels mostly stay, and a register is faster than a cell of the table.
            if gt[y, x] != true or pred[y, x] != found:
                counts[true, found] += n
                true, found = gt[y, x], pred[y, x]
                n = 0
            n += 1
        counts[true, found] += n
