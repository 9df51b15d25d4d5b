"""Kernel: pixels that the i-th mask of one list shares with the i-th of another."""

from __future__ import annotations

from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.uint32),
    readonly(types.int64),
    readonly(types.uint32),
    readonly(types.int64),
    types.int64[::1],
)
def row_intersections(edges_a, offsets_a, edges_b, offsets_b, common):  # type: ignore[no-untyped-def]
    """Write the shared pixels of mask i of a and mask i of b into common[i]; walks the runs of both once."""
    for i in range(len(common)):
        a, end_a = offsets_a[i], offsets_a[i + 1]
        b, end_b = offsets_b[i], offsets_b[i + 1]
        total = 0
        while a < end_a and b < end_b:
            stop_a, stop_b = types.int64(edges_a[a + 1]), types.int64(edges_b[b + 1])
            start = max(types.int64(edges_a[a]), types.int64(edges_b[b]))
            total += max(min(stop_a, stop_b) - start, 0)
            a_first = stop_a <= stop_b
            a += 2 * a_first
            b += 2 * (not a_first)
        common[i] = total
