"""Pickles of plain values are read as Python reads them; everything else is refused before it can do anything."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.data.grounding.plain_pickle import plain_pickle, read_plain_pickle
from entityseg.errors import InputError, MissingFileError

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(PLAIN, st.integers(3, 5))
def test_plain_values_come_back(value: Any, protocol: int) -> None:
    assert plain_pickle(pickle.dumps(value, protocol)) == value


@given(
    PLAIN.filter(lambda value: b"bytes" not in pickle.dumps(value, 0) and "bytes" not in repr(type(value))),
    st.integers(0, 2),
)
def test_old_protocols(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    if b"codecs" in data or b"bytes\n" in data:
        # Below protocol 3 bytes are written as a call.
        with pytest.raises(InputError, match="pickle.refused"):
            plain_pickle(data)
    else:
        assert plain_pickle(data) == value


def test_python_2_strings() -> None:
    assert plain_pickle(b"(dp0\nS'sent'\np1\nS'a \\'b\\' \\xc3\\xa9'\np2\ns.") == {"sent": "a 'b' \u00e9"}
    assert plain_pickle(b"\x80\x02}U\x04sentU\x02\xff!s.") == {"sent": "\u00ff!"}
    assert plain_pickle(b"(lp0\nI01\naI5\naL7L\naVx\\u00e9\na.") == [True, 5, 7, "x\u00e9"]


class Touch:
    """Makes a file when it is unpickled by Python."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_is_refused_and_not_made(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "made"
    data = pickle.dumps([{"ref_id": Touch(target)}], protocol)
    with pytest.raises(InputError, match=r"system") as raised:
        plain_pickle(data, "refs(unc).p")
    assert not target.exists()
    (finding,) = raised.value.findings
    assert (
        finding.kind == "pickle.refused"
        and finding.file == "refs(unc).p"
        and finding.record.startswith("byte ")
    )
    pickle.loads(data)  # The test is one: Python itself makes the call.
    assert target.exists()


class Persistent(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        return "there" if value == "secret" else None


def persistent(protocol: int) -> bytes:
    out = io.BytesIO()
    Persistent(out, protocol).dump(["secret"])
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", "os.system"),
        (b"\x80\x02]\x82\x01.", "EXT1"),
        (b"\x80\x02\x83\x01\x00.", "EXT2"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
        (persistent(0), "PERSID"),
        (persistent(2), "BINPERSID"),
        (b"\x80\x02})\x81.", "NEWOBJ"),
        (b"\x80\x04})}\x92.", "NEWOBJ_EX"),
        (b"\x80\x02]}b.", "BUILD"),
        (b"(]o.", "OBJ"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x05\x98.", "READONLY_BUFFER"),
        (pickle.dumps(OrderedDict(a=1), 2), "collections.OrderedDict"),
        (pickle.dumps({1}, 2), "set"),
    ],
)
def test_instructions_that_do_things_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match="pickle.refused") as raised:
        plain_pickle(data)
    assert words in str(raised.value)


def test_numpy_values_say_what_to_do() -> None:
    for value in (np.int64(3), np.arange(3)):
        with pytest.raises(InputError, match="numpy.*turn arrays and scalars into lists and numbers"):
            plain_pickle(pickle.dumps([value], 2))


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b"a.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"a.",
        b"\x80\x05\x96" + struct.pack("<Q", 2**63) + b"a.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"a.",
        b"\x80\x02T" + struct.pack("<i", -1) + b"a.",
        b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01.",
        b"\x80\x02\x8b" + struct.pack("<i", -1) + b"\x01.",
        b"I" + b"9" * 100_000 + b"\n.",
        b"p" + b"9" * 100_000 + b"\n.",
        b"",
        b".",
        b"(.",
        b"]",
        b"]].",
        b"a.",
        b"K",
        b"e.",
        b"(e.",
        b"](a.",
        b"}K\x01s.",
        b"}(K\x01u.",
        b"}]K\x01s.",
        b"}))s.",
        b"K\x01K\x02a.",
        b"h\x05.",
        b"\x80\x09N.",
        b"\xff.",
        b"Sabc\n.",
        b"S'\\x'\n.",
        b"Fabc\n.",
        b"X\x01\x00\x00\x00\xff.",
        b"\x80\x04\x95",
    ],
)
def test_damage_is_named_and_costs_no_memory(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(InputError, match="pickle.broken"):
        plain_pickle(data)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_gigantic_memo_index_is_only_a_number() -> None:
    tracemalloc.start()
    assert plain_pickle(b"\x80\x02]r\xff\xff\xff\xff0j\xff\xff\xff\xff.") == []
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_values_that_grow_without_end_are_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    bomb: list[Any] = ["x"]
    for _ in range(60):
        bomb = [bomb, bomb]
    for value in (endless, bomb):
        with pytest.raises(InputError, match="pickle.endless"):
            plain_pickle(pickle.dumps(value))


def test_deep_nesting_is_no_crash() -> None:
    data = b"]" * 200_000 + b"a" * 199_999 + b"."
    value = plain_pickle(data)
    assert isinstance(value, list)
    with pytest.raises(InputError, match="a tuple is a key"):
        plain_pickle(b"})" + b"\x85" * 200_000 + b"Ns.")


@given(st.binary(max_size=60))
def test_noise_is_an_input_error_or_a_value(data: bytes) -> None:
    try:
        plain_pickle(data + b".")
    except InputError as error:
        assert error.findings.errors == 1


def test_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_plain_pickle(tmp_path / "no.p")
    (tmp_path / "refs(unc).p").write_bytes(pickle.dumps([1]))
    assert read_plain_pickle(tmp_path / "refs(unc).p") == [1]
