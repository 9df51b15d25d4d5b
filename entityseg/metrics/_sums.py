"""Kernel: weighted sums of counts by category, over units that have a few of the categories each."""

from __future__ import annotations

from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.int32),
    readonly(types.int32),
    readonly(types.int64, 2),
    readonly(types.int64, 2),
    types.int64[:, :, ::1],
)
def add_by_category(units, columns, counts, weights, sums):  # type: ignore[no-untyped-def]
    """Add each entry, as often as its unit counts, to the sums of its category.

    Args:
        units, columns: int32 [e], unit and category of each entry.
        counts: int64 [e, kinds].
        weights: int64 [b, units], how often each unit counts.
        sums: int64 [b, categories, kinds], written.
    """
    sums[:] = 0
    for b in range(len(weights)):
        for e in range(len(units)):
            weight = weights[b, units[e]]
            if weight != 0:
                for kind in range(counts.shape[1]):
                    sums[b, columns[e], kind] += weight * counts[e, kind]
