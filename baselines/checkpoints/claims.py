"""What a pickle of weights can hold beside containers, text and numbers, as it describes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Storage:
    """Numbers of the file that tensors lie in.

    Attributes:
        key: its name in the archive.
        size: bytes.
        element: bytes of one number.
    """

    key: str
    size: int
    element: int


@dataclass(frozen=True, eq=False)
class Claim:
    """A tensor as the pickle describes it.

    Attributes:
        storage: where its numbers lie.
        shape: its sizes.
        size: bytes of that many numbers, each on its own.
        within: whether the storage has as many numbers, and all of them lie in it.
    """

    storage: Storage
    shape: tuple[int, ...]
    size: int
    within: bool


@dataclass(eq=False)
class Array:
    """An array of numpy, filled after it is made: its type as text (`<f4`), and its numbers as bytes."""

    dtype: str = ""
    shape: tuple[int, ...] = ()
    fortran: bool = False
    data: bytes = b""


@dataclass(frozen=True, eq=False)
class Named:
    """A function or class, by its name alone."""

    name: str


@dataclass(frozen=True, eq=False)
class Other:
    """What a call of something else would have made."""

    name: str


@dataclass(eq=False)
class NumpyType:
    """A type of numpy; its byte order comes after it is made."""

    text: str
