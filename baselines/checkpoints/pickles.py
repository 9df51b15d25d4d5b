"""What a pickle of weights says it holds, before anything is made of it: nothing is imported, called or reserved.

Even torch's reader for weights alone (`weights_only=True`) calls what it knows with what the file gives: a hundred
bytes can ask for gigabytes, or for a text that takes years. So the pickle is first followed by a machine to which a
tensor is a claim on bytes of the file, an array of numpy its bytes, and everything else a name.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from entityseg.baselines.checkpoints import names
from entityseg.baselines.checkpoints.claims import Array, Claim, Named, NumpyType, Other, Storage
from entityseg.data.grounding.plain_pickle import PickleMachine, Step, check_extent
from entityseg.errors import Finding, InputError, input_error

AGAIN = "Download the file again; it was probably cut off."
_CODE = "Take the file that the authors released: weights, and the plain values of their training, need nothing else."
# Values in the arguments of one call; a counter of milestones or a set of indices has a few.
_MOST_ARGUMENTS = 1000
_MOST_AXES = 64


class WeightsPickle(PickleMachine):
    """Follows a pickle of torch or of numpy's arrays.

    Args:
        data: bytes, or a map of the file.
        file: what to name in findings.

    Attributes:
        storages: all that tensors may lie in, by key.
        strange: names of what torch could make and weights are not.
        encoded: how many bytes texts were made into.
    """

    def __init__(self, data: bytes | mmap.mmap, file: str) -> None:
        super().__init__(data, file)
        self.storages: dict[str, Storage] = {}
        self.strange: list[str] = []
        self.encoded = 0

    def read(self) -> Any:
        """Return the next pickle: containers, text, numbers, and `Claim`, `Array`, `Named` or `Other` for the rest.

        Raises:
            InputError: it is cut off or damaged, asks for code, or holds values that grow without end.
        """
        begin = self.at
        try:
            value = self.run()
            check_extent(value, 4 * (self.at - begin) + _MOST_ARGUMENTS, self.file)
        except InputError as error:
            raise InputError(_of_weights(one) for one in error.findings) from None
        self.stack.clear()
        self.memo.clear()
        return value

    @classmethod
    @cache
    def codes(cls) -> Mapping[bytes, Step]:
        """Return what each instruction's byte does."""
        own: dict[bytes, Any] = {
            b"c": cls._global,
            b"\x93": cls._stacked_global,
            b"R": cls._reduce,
            b"\x81": cls._new,
            b"b": cls._build,
            b"Q": cls._persistent,
        }
        return {**super().codes(), **own}

    def broken(self, reason: str) -> InputError:
        """Return what is said of data that is no whole pickle."""
        message = f"the file is damaged, or holds something else than weights: {reason}"
        return input_error("checkpoint.broken", message, AGAIN, file=self.file, record=f"byte {self.begin}")

    def refused(self, code: bytes) -> InputError:
        """Return what is said of an instruction that is not followed."""
        error = super().refused(code)
        kind = next(iter(error.findings)).kind
        return error if kind == "checkpoint.broken" else has_code(self.file)

    def _global(self) -> None:
        self._name(*(self.line().decode("utf-8", "replace") for _ in range(2)))

    def _stacked_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise self.broken("a name is no text")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        full = f"{names.RENAMED.get(module, module)}.{name}"
        if full not in names.KNOWN:
            if not names.STRANGE.fullmatch(full):
                raise has_code(self.file, full)
            self.strange.append(full)
        self.push(Named(full))

    def _persistent(self) -> None:
        """Push the storage of `("storage", type, key, device, count)`; before torch 1.6 with None for a view."""
        told = self.pop()
        if not isinstance(told, tuple) or len(told) not in (5, 6) or told[0] not in ("storage", b"storage"):
            raise self.broken("a storage is not described as torch does")
        _, kind, key, _, count, *view = told
        if not isinstance(kind, Named) or not isinstance(key, str) or not _is_count(count) or any(view):
            raise self.broken("a storage is not described as torch does")
        element = names.ELEMENTS.get(kind.name.removeprefix("torch.").removesuffix("Storage"), 1)
        if key not in self.storages:
            self.storages[key] = Storage(key, count * element, element)
        self.push(self.storages[key])

    def _reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(arguments, tuple) or not isinstance(function, Named):
            raise self.broken("a call without a function or arguments")
        self.push(self._made(function.name, arguments))

    def _new(self) -> None:
        """Make an object by its class; of those that stand beside weights, only containers have a content here."""
        arguments, kind = self.pop(), self.pop()
        if not isinstance(kind, Named) or arguments != ():
            raise self.broken("an object is not made as torch and numpy do")
        self.push({} if kind.name in (*names.SETTINGS, "collections.OrderedDict") else Other(kind.name))

    def _build(self) -> None:
        """Set the state of the last value: arrays and types of numpy have one, the others' is of no use."""
        state, target = self.pop(), self.pop()
        if isinstance(target, Claim | Storage):
            raise self.broken("a tensor is changed after it was made")
        if isinstance(target, NumpyType):
            target.text = _ordered(target.text, state)
        elif isinstance(target, Array):
            self._fill(target, state)
        self.push(target)

    def _made(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if name not in names.KNOWN:
            return Other(name)
        if name in names.TENSORS:
            return self._claim(name, arguments)
        if name in names.PARAMETERS and arguments and isinstance(arguments[0], Claim):
            return arguments[0]
        if name == names.SUBCLASS and len(arguments) == 4:
            function, _, inner, _ = arguments
            if isinstance(function, Named) and isinstance(inner, tuple) and function.name in names.TENSORS:
                return self._claim(function.name, inner)
        if name in names.WHOLE_ARRAYS and len(arguments) == 4:
            data, kind, shape, order = arguments
            return self._fill(Array(), (1, shape, kind, order == "F", data))
        # Containers would go through whatever they are given.
        if any(isinstance(one, Claim | Storage | Array) for one in arguments):
            raise self.broken(f"{name} is given numbers")
        check_extent(list(arguments), _MOST_ARGUMENTS, self.file)
        if name == "_codecs.encode" and len(arguments) == 2:
            return self._encoded(*arguments)
        if name in names.EMPTY and arguments == ():
            return names.EMPTY[name]()
        if name in names.NEW_ARRAYS:
            return Array()
        if name == "numpy.dtype" and arguments and isinstance(arguments[0], str):
            return NumpyType(arguments[0])
        return Other(name)

    def _encoded(self, text: Any, code: Any) -> bytes:
        """Return the bytes that a text of the same numbers stands for, as protocol 2 writes them."""
        if not isinstance(text, str) or code != "latin1":
            raise self.broken("bytes are not described as Python does")
        self.encoded += len(text)
        if self.encoded > len(self.data):
            raise self.broken("one text is made into bytes over and over")
        return text.encode("latin1")

    def _claim(self, name: str, arguments: tuple[Any, ...]) -> Claim:
        if len(arguments) < 4:
            raise self.broken("a tensor is not described as torch does")
        storage, offset, shape, strides = arguments[:4]
        axes = (
            isinstance(shape, tuple)
            and isinstance(strides, tuple)
            and len(shape) == len(strides) <= _MOST_AXES
        )
        if (
            not isinstance(storage, Storage)
            or not axes
            or not all(map(_is_count, (offset, *shape, *strides)))
        ):
            raise self.broken("a tensor is not described as torch does")
        element = storage.element
        if name.endswith("_v3"):
            kind = arguments[6] if len(arguments) > 6 else None
            element = names.TYPES.get(kind.name.removeprefix("torch."), 0) if isinstance(kind, Named) else 0
            if not element:
                raise self.broken("a tensor has no type")
        count = math.prod(shape)
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        within = count == 0 or (max(last + 1, offset + count) * element <= storage.size)
        return Claim(storage, shape, count * element, within)

    def _fill(self, array: Array, state: Any) -> Array:
        """Give an array its state, `(version, shape, type, in columns, bytes)`."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise self.broken("an array is not described as numpy does")
        _, shape, kind, fortran, data = state
        axes = isinstance(shape, tuple) and len(shape) <= _MOST_AXES and all(map(_is_count, shape))
        if not axes or not isinstance(kind, NumpyType):
            raise self.broken("an array is not described as numpy does")
        if not isinstance(data, bytes):
            raise self.broken("an array holds objects")
        array.dtype, array.shape, array.fortran, array.data = kind.text, shape, bool(fortran), data
        return array


def has_code(file: str | None, name: str | None = None) -> InputError:
    """Return what is said of a file that holds more than plain values."""
    message = "the file holds more than weights; reading that could run code, so it is not read"
    return input_error("checkpoint.code", message, _CODE, file=file, value=name)


def _of_weights(finding: Finding) -> Finding:
    """Return a finding about pickles of any kind as one about weights."""
    if not finding.kind.startswith("pickle."):
        return finding
    return replace(finding, kind=finding.kind.replace("pickle.", "checkpoint."), remedy=_CODE)


def _is_count(value: object) -> bool:
    # 2**62: bytes of a file have smaller numbers, and torch's own sizes too.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _ordered(text: str, state: Any) -> str:
    """Return a type's name with the byte order of its state, `(version, order, ...)`."""
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    return f"{order}{text}" if order in ("<", ">", "|") and text[:1] not in "<>|=" else text
