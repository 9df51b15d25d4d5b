"""Kernel: whether any two masks of an image share a pixel."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(types.boolean, readonly(types.uint32), types.int64)
def disjoint(edges, pixels):  # type: ignore[no-untyped-def]
    """Return True if no pixel is in two of the runs; one bit a pixel says what is taken."""
    full = np.uint64(0xFFFFFFFFFFFFFFFF)
    one = np.uint64(1)
    taken = np.zeros((pixels + 63) // 64, np.uint64)
    for e in range(0, len(edges), 2):
        start = np.uint64(edges[e])
        last = np.uint64(edges[e + 1]) - one
        first_word = np.int64(start >> np.uint64(6))
        last_word = np.int64(last >> np.uint64(6))
        head = np.uint64(full << (start & np.uint64(63)))
        tail = np.uint64(full >> (np.uint64(63) - (last & np.uint64(63))))
        if first_word == last_word:
            bits = head & tail
            if taken[first_word] & bits:
                return False
            taken[first_word] |= bits
            continue
        if taken[first_word] & head or taken[last_word] & tail:
            return False
        taken[first_word] |= head
        taken[last_word] |= tail
        for word in range(first_word + 1, last_word):
            if taken[word]:
                return False
            taken[word] = full
    return True
