"""A reader of pickles that hold plain values: containers, text, numbers, True, False, None; nothing else exists here.

RefCOCO's `refs(*).p` are pickles, and a pickle is a program that may call anything. Python's own unpickler cannot be
made safe by a hook alone (extension codes, buffers, memory asked for before it is filled), so this is a machine of its
own that knows only the instructions that build plain values. Instructions: CPython, `Lib/pickletools.py`.
"""

from __future__ import annotations

import codecs
import mmap
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from entityseg.data.json_file import map_file
from entityseg.errors import InputError, input_error

MAX_BYTES = 1 << 30
# Longer integers than any id; reading decimal text of great length would take forever.
_MAX_DIGITS = 64
_REMEDY = "Get the file from its publisher; a dataset's file has lists, dicts, text and numbers, and no more."
_NUMPY_REMEDY = (
    "Load it where you trust it, turn arrays and scalars into lists and numbers, and save it again."
)
_MARK = object()

# What an instruction would do that is refused; by its byte.
REFUSED = {
    b"c": "name a function or class (GLOBAL)",
    b"\x93": "name a function or class (STACK_GLOBAL)",
    b"R": "call a function (REDUCE)",
    b"i": "make an object (INST)",
    b"o": "make an object (OBJ)",
    b"\x81": "make an object (NEWOBJ)",
    b"\x92": "make an object (NEWOBJ_EX)",
    b"b": "set the state of an object (BUILD)",
    b"P": "ask for a persistent object (PERSID)",
    b"Q": "ask for a persistent object (BINPERSID)",
    b"\x82": "name a registered class (EXT1)",
    b"\x83": "name a registered class (EXT2)",
    b"\x84": "name a registered class (EXT4)",
    b"\x97": "take a buffer from outside (NEXT_BUFFER)",
    b"\x98": "take a buffer from outside (READONLY_BUFFER)",
}


def read_plain_pickle(path: str | Path) -> Any:
    """Return what a pickle file holds.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is cut or no pickle, has more than 1 GB, or holds anything but plain values.
    """
    mapped, _ = map_file(Path(path))
    if len(mapped) > MAX_BYTES:
        message = f"the pickle has {len(mapped)} bytes, more than the limit of {MAX_BYTES}"
        raise input_error("pickle.large", message, _REMEDY, file=str(path))
    return plain_pickle(mapped[:], str(path))


def plain_pickle(data: bytes, file: str | None = None) -> Any:
    r"""Return what the bytes of a pickle hold; as `read_plain_pickle`.

    >>> import pickle
    >>> plain_pickle(pickle.dumps([{"ref_id": 1, "sent_ids": (2, 3)}], protocol=2))
    [{'ref_id': 1, 'sent_ids': (2, 3)}]
    >>> plain_pickle(b"cos\nsystem\n(S'true'\ntR.")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    entityseg.errors.InputError: error: byte 0: the pickle wants to name a function or class ...
    """
    value = PickleMachine(data, file).run()
    check_extent(value, 4 * len(data) + 1000, file)
    return value


class PickleMachine:
    """Stack, memo and position; one method for each kind of instruction.

    Args:
        data: bytes, or a map of a file; `at` is where the next pickle in it begins.
        file: what to name in findings.
    """

    def __init__(self, data: bytes | mmap.mmap, file: str | None) -> None:
        self.data = data
        self.file = file
        self.at = 0
        self.begin = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    @classmethod
    def codes(cls) -> Mapping[bytes, Step]:
        """Return what each instruction's byte does."""
        return _CODES

    def run(self) -> Any:
        """Follow the instructions up to STOP and return the value that is left."""
        data, codes = self.data, self.codes()
        try:
            while True:
                self.begin = self.at
                code = data[self.at : self.at + 1]
                self.at += 1
                if code == b".":
                    return self._result()
                step = codes.get(code)
                if step is None:
                    raise self.refused(code)
                step(self)
        except (IndexError, struct.error):
            raise self.broken("it ends early, or takes a value that is not there") from None
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise self.broken(str(error)[:200]) from None

    def _result(self) -> Any:
        if len(self.stack) != 1 or self.stack[0] is _MARK:
            raise self.broken(f"{len(self.stack)} values are left at its end, not one")
        return self.stack[0]

    def broken(self, reason: str) -> InputError:
        """Return what is said of data that is no whole pickle."""
        message = f"the file is no whole pickle: {reason}"
        return input_error("pickle.broken", message, _REMEDY, file=self.file, record=f"byte {self.begin}")

    def refused(self, code: bytes) -> InputError:
        """Return what is said of an instruction that is not followed."""
        if code not in REFUSED:
            return self.broken("it ends early" if not code else f"there is no instruction {code!r}")
        value, remedy = None, _REMEDY
        if code in (b"c", b"i"):
            names = [self.line()[:100].decode("latin-1") for _ in range(2)]
            value = ".".join(names)
        elif code == b"\x93":
            value = ".".join(str(name)[:100] for name in self.stack[-2:] if isinstance(name, str))
        if value is not None and value.startswith("numpy"):
            remedy = _NUMPY_REMEDY
        message = f"the pickle wants to {REFUSED[code]}"
        where = {"file": self.file, "record": f"byte {self.begin}", "value": value}
        return input_error("pickle.refused", message, remedy, **where)

    def take(self, count: int) -> bytes:
        """Return the next bytes; there must be as many."""
        found = self.data[self.at : self.at + count]
        if count < 0 or len(found) < count:
            raise self.broken(f"a value of {count} bytes is announced, {len(found)} are left")
        self.at += count
        return found

    def line(self) -> bytes:
        """Return the bytes up to the next line feed."""
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise self.broken("it ends early")
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def number(self, form: str) -> int:
        """Return the next number of a fixed form."""
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def to_mark(self) -> list[Any]:
        """Remove the last mark and all above it; return what was above."""
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                found = self.stack[i + 1 :]
                del self.stack[i:]
                return found
        raise self.broken("a mark is missing")

    def pop(self) -> Any:
        """Remove and return the last value."""
        value = self.stack.pop()
        if value is _MARK:
            raise self.broken("a value is missing")
        return value

    def last(self, kind: type[Any]) -> Any:
        """Return the last value, which must be of a kind."""
        value = self.stack[-1]
        if type(value) is not kind:
            raise self.broken(f"a {kind.__name__} is expected, not a {type(value).__name__}")
        return value

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def put(self, index: int) -> None:
        """Remember the last value under a number, however large."""
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        """Put a remembered value on the stack."""
        if index not in self.memo:
            raise self.broken(f"value {index} is used before it is made")
        self.push(self.memo[index])

    def decimal(self) -> int:
        """Return the number of a line."""
        text = self.line()
        if len(text) > _MAX_DIGITS:
            raise self.broken(f"a number has {len(text)} digits")
        return int(text.removesuffix(b"L"))

    def old_int(self) -> None:
        """INT: a decimal line, of which 00 and 01 are False and True."""
        if self.data[self.at : self.at + 3] in (b"00\n", b"01\n"):
            self.push(self.line() == b"01")
        else:
            self.push(self.decimal())

    def long(self, size: int) -> None:
        """Push an integer of some bytes."""
        if size > _MAX_DIGITS:
            raise self.broken(f"a number has {size} bytes")
        self.push(int.from_bytes(self.take(size), "little", signed=True))

    def quoted(self) -> None:
        """STRING: a line in quotes with escapes."""
        text = self.line().strip()
        if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
            raise self.broken("a string has no quotes")
        self.push(_old_text(codecs.escape_decode(text[1:-1])[0]))  # type: ignore[attr-defined]

    def append(self, values: list[Any]) -> None:
        """Append to the list that is now the last value."""
        self.last(list).extend(values)

    def set_items(self, values: list[Any]) -> None:
        """Fill the dict that is now the last value."""
        if len(values) % 2:
            raise self.broken("a key has no value")
        target = self.last(dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, str | bytes | int | float | None):
                raise self.broken(f"a {type(key).__name__} is a key")
            target[key] = value

    def tuple_of(self, count: int) -> None:
        """Make a tuple of the last values."""
        values = [self.pop() for _ in range(count)][::-1]
        self.push(tuple(values))


def _old_text(raw: bytes) -> str:
    """Return the text of a Python 2 string."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _dup(m: PickleMachine) -> None:
    m.push(m.pop())
    m.push(m.stack[-1])


def _pop(m: PickleMachine) -> None:
    # POP may take a mark away.
    m.stack.pop()


def _protocol(m: PickleMachine) -> None:
    if m.number("<B") > 5:
        raise m.broken("the protocol is newer than 5")


def _dict(m: PickleMachine) -> None:
    values = m.to_mark()
    m.push({})
    m.set_items(values)


def _one_item(m: PickleMachine) -> None:
    value, key = m.pop(), m.pop()
    m.set_items([key, value])


def _one(m: PickleMachine) -> None:
    value = m.pop()
    m.append([value])


Step = Callable[[PickleMachine], Any]
_CODES: dict[bytes, Step] = {
    b"\x80": _protocol,
    b"\x95": lambda m: m.take(8),
    b"(": lambda m: m.push(_MARK),
    b"0": _pop,
    b"1": lambda m: m.to_mark(),
    b"2": _dup,
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": lambda m: m.old_int(),
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"L": lambda m: m.push(m.decimal()),
    b"\x8a": lambda m: m.long(m.number("<B")),
    b"\x8b": lambda m: m.long(m.number("<i")),
    b"F": lambda m: m.push(float(m.line()[:_MAX_DIGITS])),
    b"G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    b"S": lambda m: m.quoted(),
    b"T": lambda m: m.push(_old_text(m.take(m.number("<i")))),
    b"U": lambda m: m.push(_old_text(m.take(m.number("<B")))),
    b"V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
    b"X": lambda m: m.push(m.take(m.number("<I")).decode("utf-8", "surrogatepass")),
    b"\x8c": lambda m: m.push(m.take(m.number("<B")).decode("utf-8", "surrogatepass")),
    b"\x8d": lambda m: m.push(m.take(m.number("<Q")).decode("utf-8", "surrogatepass")),
    b"B": lambda m: m.push(m.take(m.number("<I"))),
    b"C": lambda m: m.push(m.take(m.number("<B"))),
    b"\x8e": lambda m: m.push(m.take(m.number("<Q"))),
    b"\x96": lambda m: m.push(m.take(m.number("<Q"))),
    b"]": lambda m: m.push([]),
    b"a": _one,
    b"e": lambda m: m.append(m.to_mark()),
    b"l": lambda m: m.push(m.to_mark()),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.to_mark())),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"}": lambda m: m.push({}),
    b"d": _dict,
    b"s": _one_item,
    b"u": lambda m: m.set_items(m.to_mark()),
    b"p": lambda m: m.put(m.decimal()),
    b"q": lambda m: m.put(m.number("<B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"g": lambda m: m.get(m.decimal()),
    b"h": lambda m: m.get(m.number("<B")),
    b"j": lambda m: m.get(m.number("<I")),
}


def check_extent(value: Any, limit: int, file: str | None) -> None:
    """Refuse values that hold themselves, or that grow without end when they are written out.

    Raises:
        InputError: written out, it would be more values than the limit.
    """
    pending, count = [value], 0
    while pending:
        one = pending.pop()
        count += 1
        if count > limit:
            message = "the pickle holds lists that hold themselves, or one another over and over"
            raise input_error("pickle.endless", message, _REMEDY, file=file)
        if isinstance(one, list | tuple):
            pending.extend(one)
        elif isinstance(one, dict):
            pending.extend(one)
            pending.extend(one.values())
