"""Kernels: find the fields of COCO annotation records in JSON text, without making an object for each.

The scanner knows the few keys that matter and skips the others. Whatever it does not understand (a polygon, a list of
counts, a byte beyond ASCII, malformed JSON) it leaves to the slow reader, which can also say what is wrong: here, -1
always means "ask the slow reader".
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly

# Columns of a scanned record; a start of -1 means that the key is absent.
RECORD_START, RECORD_STOP = 0, 1
ID, IMAGE_ID, CATEGORY_ID, ISCROWD, HEIGHT, WIDTH = 2, 3, 4, 5, 6, 7
COUNTS_START, COUNTS_STOP = 8, 9
SCORE_START, SCORE_STOP = 10, 11
AREA_START, AREA_STOP = 12, 13
BBOX_START, BBOX_STOP = 14, 15
SEEN = 16
N_COLUMNS = 17

# Bits of SEEN, one for each key with an integer value.
SEEN_ID, SEEN_IMAGE, SEEN_CATEGORY, SEEN_CROWD, SEEN_SIZE, SEEN_OTHER = 1, 2, 4, 8, 16, 32

_FAIL = -1
_DEEPEST = 60

QUOTE, BACKSLASH, COMMA, COLON = 34, 92, 44, 58
OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST = 123, 125, 91, 93

_TRUE = np.frombuffer(b"true", np.uint8)
_FALSE = np.frombuffer(b"false", np.uint8)
_NULL = np.frombuffer(b"null", np.uint8)
_K_ID = np.frombuffer(b"id", np.uint8)
_K_IMAGE = np.frombuffer(b"image_id", np.uint8)
_K_CATEGORY = np.frombuffer(b"category_id", np.uint8)
_K_CROWD = np.frombuffer(b"iscrowd", np.uint8)
_K_SCORE = np.frombuffer(b"score", np.uint8)
_K_AREA = np.frombuffer(b"area", np.uint8)
_K_BBOX = np.frombuffer(b"bbox", np.uint8)
_K_SEGMENTATION = np.frombuffer(b"segmentation", np.uint8)
_K_SIZE = np.frombuffer(b"size", np.uint8)
_K_COUNTS = np.frombuffer(b"counts", np.uint8)


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _white(text, p, stop):  # type: ignore[no-untyped-def]
    """Return the first position from p on that is no white space."""
    while p < stop and (text[p] == 32 or text[p] == 10 or text[p] == 13 or text[p] == 9):
        p += 1
    return p


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _is_word(text, start, stop, word):  # type: ignore[no-untyped-def]
    if stop - start != len(word):
        return False
    for i in range(len(word)):
        if text[start + i] != word[i]:
            return False
    return True


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _string_end(text, p, stop, ascii_only):  # type: ignore[no-untyped-def]
    """Return the position of the quote that closes the string whose content begins at p.

    Bytes beyond ASCII are let through only where the caller parses, and so validates, the value anyway.
    """
    while p < stop:
        c = text[p]
        if c == QUOTE:
            return p
        if c == BACKSLASH:
            p += 1
            # \\u and what is no escape at all are for the slow reader.
            if p >= stop:
                return _FAIL
            if ascii_only and not (
                text[p] == QUOTE or text[p] == BACKSLASH or text[p] == 47 or text[p] == 98
                or text[p] == 102 or text[p] == 110 or text[p] == 114 or text[p] == 116
            ):  # fmt: skip
                return _FAIL
        elif c < 32 or (c >= 128 and ascii_only):
            return _FAIL
        p += 1
    return _FAIL


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _counts_end(text, p, stop):  # type: ignore[no-untyped-def]
    """Return the position of the next quote; looks at 32 bytes at a time, since counts is nearly all of a file."""
    begin = p
    while p + 32 <= stop:
        hit = False
        for i in range(32):
            hit |= text[p + i] == QUOTE
        if hit:
            break
        p += 32
    while p < stop and text[p] != QUOTE:
        p += 1
    if p >= stop:
        return _FAIL
    # An odd number of backslashes before it makes it part of the string.
    q = p
    while q > begin and text[q - 1] == BACKSLASH:
        q -= 1
    return _FAIL if (p - q) & 1 else p


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _number_end(text, p, stop):  # type: ignore[no-untyped-def]
    """Return the position after the number that begins at p (JSON's grammar)."""
    if p < stop and text[p] == 45:
        p += 1
    first = p
    while p < stop and 48 <= text[p] <= 57:
        p += 1
    if p == first or (text[first] == 48 and p > first + 1):
        return _FAIL
    if p < stop and text[p] == 46:
        first = p + 1
        p = first
        while p < stop and 48 <= text[p] <= 57:
            p += 1
        if p == first:
            return _FAIL
    if p < stop and (text[p] == 101 or text[p] == 69):
        p += 1
        if p < stop and (text[p] == 43 or text[p] == 45):
            p += 1
        first = p
        while p < stop and 48 <= text[p] <= 57:
            p += 1
        if p == first:
            return _FAIL
    return p


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _integer(text, start, stop):  # type: ignore[no-untyped-def]
    """Return (value, fine) of an integer of at most 18 digits."""
    p = start
    negative = p < stop and text[p] == 45
    if negative:
        p += 1
    if p == stop or stop - p > 18:
        return 0, False
    value = 0
    while p < stop:
        digit = np.int64(text[p]) - 48
        if digit < 0 or digit > 9:
            return 0, False
        value = 10 * value + digit
        p += 1
    return (-value if negative else value), True


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _key(text, p, stop, ascii_only):  # type: ignore[no-untyped-def]
    """Return (start, stop, position of the value) of the key at p; start -1 if there is none."""
    p = _white(text, p, stop)
    if p >= stop or text[p] != QUOTE:
        return _FAIL, _FAIL, _FAIL
    start = p + 1
    end = _string_end(text, start, stop, ascii_only)
    if end < 0:
        return _FAIL, _FAIL, _FAIL
    p = _white(text, end + 1, stop)
    if p >= stop or text[p] != COLON:
        return _FAIL, _FAIL, _FAIL
    return start, end, _white(text, p + 1, stop)


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _value_end(text, p, stop, ascii_only):  # type: ignore[no-untyped-def]
    """Return the position after the value at p, whatever it is; nested at most 60 deep."""
    depth = 0
    in_object = np.uint64(0)  # Bit d: the container at depth d is an object.
    while True:
        p = _white(text, p, stop)
        if p >= stop:
            return _FAIL
        c = text[p]
        opened = False
        if c == QUOTE:
            p = _string_end(text, p + 1, stop, ascii_only)
            if p < 0:
                return _FAIL
            p += 1
        elif c == 45 or 48 <= c <= 57:
            p = _number_end(text, p, stop)
            if p < 0:
                return _FAIL
        elif p + 4 <= stop and (_is_word(text, p, p + 4, _TRUE) or _is_word(text, p, p + 4, _NULL)):
            p += 4
        elif p + 5 <= stop and _is_word(text, p, p + 5, _FALSE):
            p += 5
        elif c == OPEN_OBJECT or c == OPEN_LIST:
            depth += 1
            if depth > _DEEPEST:
                return _FAIL
            bit = np.uint64(1) << np.uint64(depth)
            in_object = in_object | bit if c == OPEN_OBJECT else in_object & ~bit
            p = _white(text, p + 1, stop)
            opened = True
        else:
            return _FAIL
        # Behind a value or a fresh bracket: close what ends here, then go to the next value.
        while True:
            if depth == 0:
                return p
            p = _white(text, p, stop)
            if p >= stop:
                return _FAIL
            is_object = (in_object >> np.uint64(depth)) & np.uint64(1) == np.uint64(1)
            if text[p] == (CLOSE_OBJECT if is_object else CLOSE_LIST):
                depth -= 1
                p += 1
                opened = False
                continue
            if not opened:
                if text[p] != COMMA:
                    return _FAIL
                p += 1
            if is_object:
                start, _, p = _key(text, p, stop, ascii_only)
                if start < 0:
                    return _FAIL
            break


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _segmentation(text, p, stop, row):  # type: ignore[no-untyped-def]
    """Read the object with `size` and `counts` at p into the row; return the position after it."""
    if text[p] != OPEN_OBJECT:
        return _FAIL
    p += 1
    # Of a key that stands twice the last one counts, as for every JSON parser.
    row[COUNTS_START] = -1
    row[SEEN] &= ~SEEN_SIZE
    while True:
        start, end, p = _key(text, p, stop, True)
        if start < 0 or p >= stop:
            return _FAIL
        if _is_word(text, start, end, _K_COUNTS):
            if text[p] != QUOTE:
                return _FAIL
            row[COUNTS_START] = p + 1
            p = _counts_end(text, p + 1, stop)
            if p < 0:
                return _FAIL
            row[COUNTS_STOP] = p
            p += 1
        elif _is_word(text, start, end, _K_SIZE):
            if text[p] != OPEN_LIST:
                return _FAIL
            for side in range(2):
                p = _white(text, p + 1, stop)
                end = _number_end(text, p, stop)
                if end < 0:
                    return _FAIL
                row[HEIGHT + side], fine = _integer(text, p, end)
                p = _white(text, end, stop)
                if not fine or p >= stop or text[p] != (COMMA if side == 0 else CLOSE_LIST):
                    return _FAIL
            row[SEEN] |= SEEN_SIZE
            p += 1
        else:
            return _FAIL
        p = _white(text, p, stop)
        if p >= stop:
            return _FAIL
        if text[p] == CLOSE_OBJECT:
            return p + 1
        if text[p] != COMMA:
            return _FAIL
        p += 1


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _record(text, p, stop, row):  # type: ignore[no-untyped-def]
    """Read the record at p into the row; return the position after it."""
    if text[p] != OPEN_OBJECT:
        return _FAIL
    row[:] = -1
    row[SEEN] = 0
    row[RECORD_START] = p
    p = _white(text, p + 1, stop)
    if p < stop and text[p] == CLOSE_OBJECT:
        row[RECORD_STOP] = p + 1
        return p + 1
    while True:
        start, end, p = _key(text, p, stop, True)
        if start < 0 or p >= stop:
            return _FAIL
        if _is_word(text, start, end, _K_SEGMENTATION):
            p = _segmentation(text, p, stop, row)
        else:
            begin = p
            p = _value_end(text, p, stop, True)
            if p < 0:
                return _FAIL
            column, seen = -1, 0
            if _is_word(text, start, end, _K_IMAGE):
                column, seen = IMAGE_ID, SEEN_IMAGE
            elif _is_word(text, start, end, _K_CATEGORY):
                column, seen = CATEGORY_ID, SEEN_CATEGORY
            elif _is_word(text, start, end, _K_ID):
                column, seen = ID, SEEN_ID
            elif _is_word(text, start, end, _K_CROWD):
                column, seen = ISCROWD, SEEN_CROWD
            elif _is_word(text, start, end, _K_SCORE):
                row[SCORE_START], row[SCORE_STOP] = begin, p
            elif _is_word(text, start, end, _K_AREA):
                row[AREA_START], row[AREA_STOP] = begin, p
            elif _is_word(text, start, end, _K_BBOX):
                row[BBOX_START], row[BBOX_STOP] = begin, p
            else:
                row[SEEN] |= SEEN_OTHER
            if column >= 0:
                row[column], fine = _integer(text, begin, p)
                if not fine:
                    return _FAIL
                row[SEEN] |= seen
        if p < 0:
            return _FAIL
        p = _white(text, p, stop)
        if p >= stop:
            return _FAIL
        if text[p] == CLOSE_OBJECT:
            row[RECORD_STOP] = p + 1
            return p + 1
        if text[p] != COMMA:
            return _FAIL
        p += 1


@kernel(
    types.UniTuple(types.int64, 2),
    readonly(types.uint8),
    types.int64,
    types.int64,
    types.int64[:, ::1],
)
def scan_records(text, p, until, rows):  # type: ignore[no-untyped-def]
    """Read records from p on until the list ends, a record begins at or behind `until`, or the rows are full.

    Returns (rows filled, position): the position of the next record, or behind the list's closing bracket; -1 where
    the slow reader must look.
    """
    stop = len(text)
    n = 0
    p = _white(text, p, stop)
    while n < len(rows) and p < until:
        p = _record(text, p, stop, rows[n])
        if p < 0:
            return n, _FAIL
        n += 1
        p = _white(text, p, stop)
        if p >= stop:
            return n, _FAIL
        if text[p] == CLOSE_LIST:
            return n, p + 1
        if text[p] != COMMA:
            return n, _FAIL
        p = _white(text, p + 1, stop)
    return n, p


@kernel(types.int64, readonly(types.uint8), types.int64)
def value_end(text, p):  # type: ignore[no-untyped-def]
    """Return the position after the JSON value at p, or -1."""
    return _value_end(text, p, len(text), False)


@kernel(types.UniTuple(types.int64, 3), readonly(types.uint8), types.int64)
def key(text, p):  # type: ignore[no-untyped-def]
    """Return (start, stop, position of the value) of the key at p; -1 if there is none."""
    return _key(text, p, len(text), True)
