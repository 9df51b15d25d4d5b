"""Kernels: row-major maps of ids to column-major runs and back, each pixel touched once, row by row.

A map is seen as bytes: `step` bytes a pixel, lowest first. So one kernel serves every integer type and RGB
pixels, whose id is R + 256 G + 65,536 B. Walking down columns would miss the cache at every pixel; instead
each row is compared with the row above (or copied from it), and only the few pixels that differ are looked at
one by one.
"""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly

# Bytes compared at a time: a multiple of every step (1, 2, 3, 4, 8) and of a vector register.
CHUNK = 96


@kernel(
    types.Tuple((types.uint64[::1], types.uint32[::1], types.int32[::1])),
    readonly(types.uint8, 2),
    types.int64,
)
def scan(rows, step):  # type: ignore[no-untyped-def]
    """Return the ids that occur, in no order, and the scan line's segments (start, id's index).

    Args: uint8 [height, width * step] and the bytes a pixel has.
    """
    height = rows.shape[0]
    n_bytes = rows.shape[1]
    width = n_bytes // step

    # Open addressing: slots hold index + 1 into `ids`.
    slots = np.zeros(1024, np.int32)
    ids = np.empty(512, np.uint64)
    n_ids = 0
    last_id = np.uint64(0)
    last_index = -1

    # A change is a pixel that differs from the one above; every pixel of the first row counts as one.
    capacity = 4 * width + 4096
    columns = np.empty(capacity, np.uint32)
    starts = np.empty(capacity, np.uint32)
    labels = np.empty(capacity, np.int32)
    n = 0
    per_column = np.zeros(width + 1, np.int64)

    for y in range(height):
        row = rows[y]
        above = rows[max(y - 1, 0)]
        if n + width > capacity:
            capacity = 2 * capacity + width
            grown = np.empty(capacity, np.uint32)
            grown[:n] = columns[:n]
            columns = grown
            grown = np.empty(capacity, np.uint32)
            grown[:n] = starts[:n]
            starts = grown
            grown_labels = np.empty(capacity, np.int32)
            grown_labels[:n] = labels[:n]
            labels = grown_labels
        for begin in range(0, n_bytes, CHUNK):
            end = min(begin + CHUNK, n_bytes)
            # Slices: numba turns loops over them, and not over row[begin + i], into vector code.
            here = row[begin:end]
            there = above[begin:end]
            differs = np.uint8(0)
            for i in range(len(here)):
                differs = np.uint8(differs | np.uint8(here[i] ^ there[i]))
            if differs == 0 and y > 0:
                continue
            for x in range(begin // step, end // step):
                at = x * step
                same = y > 0
                for i in range(at, at + step):
                    same = same and row[i] == above[i]
                if same:
                    continue
                value = np.uint64(0)
                for i in range(step):
                    value |= np.uint64(row[at + i]) << np.uint64(8 * i)
                if last_index < 0 or value != last_id:
                    spread = np.uint64(value * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
                    slot = np.int64(spread & np.uint64(len(slots) - 1))
                    while slots[slot] > 0 and ids[slots[slot] - 1] != value:
                        slot = (slot + 1) & (len(slots) - 1)
                    if slots[slot] == 0:
                        if 2 * (n_ids + 1) > len(slots):
                            grown_ids = np.empty(2 * len(ids), np.uint64)
                            grown_ids[:n_ids] = ids[:n_ids]
                            ids = grown_ids
                            slots = np.zeros(2 * len(slots), np.int32)
                            for k in range(n_ids):
                                spread = np.uint64(ids[k] * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
                                place = np.int64(spread & np.uint64(len(slots) - 1))
                                while slots[place] > 0:
                                    place = (place + 1) & (len(slots) - 1)
                                slots[place] = k + 1
                            spread = np.uint64(value * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
                            slot = np.int64(spread & np.uint64(len(slots) - 1))
                            while slots[slot] > 0:
                                slot = (slot + 1) & (len(slots) - 1)
                        ids[n_ids] = value
                        n_ids += 1
                        slots[slot] = n_ids
                    last_id = value
                    last_index = slots[slot] - 1
                columns[n] = x
                starts[n] = x * height + y
                labels[n] = last_index
                n += 1
                per_column[x + 1] += 1

    # Row order to column order; rows stay in order within a column.
    for x in range(width):
        per_column[x + 1] += per_column[x]
    sorted_starts = np.empty(n, np.uint32)
    sorted_labels = np.empty(n, np.int32)
    for k in range(n):
        x = columns[k]
        place = per_column[x]
        per_column[x] = place + 1
        sorted_starts[place] = starts[k]
        sorted_labels[place] = labels[k]

    # A segment that goes on over the end of a column is one segment.
    kept = 0
    before = -1
    for k in range(n):
        if sorted_labels[k] != before:
            before = sorted_labels[k]
            sorted_starts[kept] = sorted_starts[k]
            sorted_labels[kept] = before
            kept += 1
    return ids[:n_ids].copy(), sorted_starts[:kept].copy(), sorted_labels[:kept].copy()


@kernel(
    types.void,
    readonly(types.uint32),
    readonly(types.int32),
    readonly(types.int64),
    types.int64,
    types.uint32[::1],
    types.int64[::1],
)
def collect(starts, labels, rank, pixels, edges, offsets):  # type: ignore[no-untyped-def]
    """Write the runs of each mask; `rank` turns an index of `scan` into a mask number, -1 for background.

    `offsets` [masks + 1] starts as zeros; `edges` has room for two a segment.
    """
    n_masks = len(offsets) - 1
    for k in range(len(starts)):
        mask = rank[labels[k]]
        if mask >= 0:
            offsets[mask + 1] += 2
    for mask in range(n_masks):
        offsets[mask + 1] += offsets[mask]
    place = offsets[:n_masks].copy()
    for k in range(len(starts)):
        mask = rank[labels[k]]
        if mask >= 0:
            p = place[mask]
            edges[p] = starts[k]
            edges[p + 1] = starts[k + 1] if k + 1 < len(starts) else pixels
            place[mask] = p + 2


@kernel(
    types.void,
    readonly(types.uint32),
    readonly(types.int64),
    types.int64,
    readonly(types.uint8, 2),
    readonly(types.uint8),
    readonly(types.int64),
    types.uint8[:, ::1],
)
def fill(edges, offsets, height, values, background, box, out):  # type: ignore[no-untyped-def]
    """Write disjoint masks into a row-major map of bytes that is all background.

    Args: values uint8 [masks, step] and background uint8 [step], the bytes of a pixel; box (x, y, width,
    height), a box around all masks; out uint8 [height, width * step].
    """
    step = len(background)
    left, top = box[0], box[1]
    right, bottom = left + box[2], top + box[3]

    # An event is a pixel that differs from the one above. Of two at one pixel, the start comes after the
    # stop.
    counts = np.zeros(2 * height + 1, np.int64)
    for phase in range(2):
        if phase == 1:
            total = 0
            for k in range(2 * height + 1):
                total += counts[k]
                counts[k] = total - counts[k]
            columns = np.empty(total, np.int64)
            masks = np.empty(total, np.int32)
        else:
            columns = np.empty(0, np.int64)
            masks = np.empty(0, np.int32)
        for m in range(len(offsets) - 1):
            x = left
            base = left * height
            for e in range(offsets[m], offsets[m + 1], 2):
                start = np.int64(edges[e])
                stop = np.int64(edges[e + 1])
                while start >= base + height:
                    base += height
                    x += 1
                while True:
                    bucket = 2 * max(start - base, 0) + 1
                    if phase == 1:
                        columns[counts[bucket]] = x
                        masks[counts[bucket]] = m
                    counts[bucket] += 1
                    if stop <= base + height:
                        break
                    base += height
                    x += 1
                if stop < base + height:
                    bucket = 2 * (stop - base)
                    if phase == 1:
                        columns[counts[bucket]] = x
                        masks[counts[bucket]] = -1
                    counts[bucket] += 1

    # The second phase moved each bucket's begin to its end.
    k = 0
    for y in range(top, bottom):
        row = out[y]
        if y > top:
            source = out[y - 1, left * step : right * step]
            target = row[left * step : right * step]
            for i in range(len(source)):
                target[i] = source[i]
        while k < counts[2 * y + 1]:
            at = columns[k] * step
            m = masks[k]
            for i in range(step):
                row[at + i] = background[i] if m < 0 else values[m, i]
            k += 1
