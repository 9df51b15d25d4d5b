"""Where a dataset's masks come from: compressed strings in a buffer, or in memory; PNG formats have their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from entityseg.data.json_file import forget_pages, parse_json
from entityseg.errors import Findings
from entityseg.masks import _decode, coco
from entityseg.masks.runlengths import Int64Array, RunLengths, Size


class MaskSource(Protocol):
    """Gives the masks of an image by its position in the dataset; may be called from several threads at once."""

    def masks(self, index: int) -> RunLengths:
        """Return the masks of image number `index`.

        Raises:
            InputError: a mask is malformed or its file is missing.
        """
        ...

    def extras(self, index: int) -> Sequence[Mapping[str, Any]]:
        """Return the other keys of each annotation of the image; empty if there are none at all."""
        ...


@dataclass(frozen=True)
class EncodedSource:
    """Compressed strings that lie in one buffer, such as a mapped JSON file or an Arrow column.

    Attributes:
        text: uint8 [N], the buffer.
        starts, stops: int64 [rows], where each row's string lies.
        offsets: int64 [images + 1], the rows of each image.
        sizes: (height, width) of each image.
        escaped: backslashes are doubled, as in a JSON file.
        positions: index of each row's record in the file's list, for error messages.
        list_name: name of that list, such as `annotations`.
        file: path of the file, for error messages.
        spans: int64 [rows, 2], where each whole JSON record lies, 0 to 0 for one without extras; None if they are
            kept or there are none at all.
        known: keys of a record that are not extras.
        kept: the extras of each row, where they are kept.
    """

    text: NDArray[np.uint8]
    starts: Int64Array
    stops: Int64Array
    offsets: Int64Array
    sizes: Sequence[Size]
    escaped: bool
    positions: Sequence[int] | Int64Array
    list_name: str
    file: str | None
    spans: Int64Array | None = None
    known: frozenset[str] = frozenset()
    kept: Sequence[Mapping[str, Any]] | None = None

    def masks(self, index: int) -> RunLengths:
        """Return the masks of image number `index`; raises `InputError` naming every malformed one."""
        findings = Findings(self.file)
        masks = self.checked_masks(index, findings)
        findings.raise_errors()
        return masks

    def checked_masks(self, index: int, findings: Findings) -> RunLengths:
        """Return the masks of an image; malformed ones become empty and are added to `findings`."""
        first, last = int(self.offsets[index]), int(self.offsets[index + 1])
        starts, stops = self.starts[first:last], self.stops[first:last]
        masks, problems = coco.decode(self.text, starts, stops, self.sizes[index], escaped=self.escaped)
        if (problems[:, 0] == _decode.OTHER_ESCAPE).any():
            strings = [
                _unescaped(self.text[start:stop].tobytes()) for start, stop in zip(starts, stops, strict=True)
            ]
            ends = np.cumsum([0] + [len(string) for string in strings], dtype=np.int64)
            joined = np.frombuffer(b"".join(strings), np.uint8)
            masks, problems = coco.decode(joined, ends[:-1], ends[1:], self.sizes[index])
        for i in np.flatnonzero(problems[:, 0]).tolist():
            code, detail = problems[i].tolist()
            value = self.text[starts[i] : min(stops[i], starts[i] + 200)].tobytes()
            record = self.record_of(first + i)
            kind, message, remedy = coco.explain(code, detail, self.sizes[index])
            findings.add(kind, message, remedy, file=self.file, record=record, field="counts", value=value)
        return masks

    def record_of(self, row: int) -> str:
        """Return where the record of a row stands in the file."""
        return f"{self.list_name}[{self.positions[row]}]"

    def forget(self) -> None:
        """Let go of the memory that can be read again."""
        forget_pages(self.text)

    def extras(self, index: int) -> Sequence[Mapping[str, Any]]:
        """Return the other keys of each record of the image, parsed from the file again."""
        rows = slice(self.offsets[index], self.offsets[index + 1])
        if self.kept is not None:
            found = list(self.kept[rows])
        elif self.spans is not None:
            file = self.file or ""
            texts = [self.text[start:stop].tobytes() or b"{}" for start, stop in self.spans[rows]]
            records = [parse_json(text, file) for text in texts]
            found = [{key: record[key] for key in record if key not in self.known} for record in records]
        else:
            return ()
        return found if any(found) else ()


def _unescaped(raw: bytes) -> bytes:
    """Return the content of a JSON string; one that is none becomes a byte that the decoder refuses."""
    try:
        text: str = json.loads(b'"' + raw + b'"')
    except ValueError:
        return b"\xff"
    return text.encode("utf-8", "surrogatepass")


@dataclass
class MemorySource:
    """Masks kept in memory as compressed strings, about 1.4 bytes a run."""

    _texts: list[NDArray[np.uint8]] = field(default_factory=list)
    _stops: list[Int64Array] = field(default_factory=list)
    _sizes: list[Size] = field(default_factory=list)
    _extras: list[Sequence[Mapping[str, Any]]] = field(default_factory=list)

    def append(self, masks: RunLengths, extras: Sequence[Mapping[str, Any]] = ()) -> None:
        """Add the masks of the next image."""
        strings = coco.to_strings(masks)
        self._texts.append(np.frombuffer(b"".join(strings), np.uint8))
        self._stops.append(np.cumsum([0] + [len(string) for string in strings], dtype=np.int64))
        self._sizes.append(masks.size)
        self._extras.append(extras)

    def masks(self, index: int) -> RunLengths:
        """Return the masks of image number `index`."""
        stops = self._stops[index]
        return coco.decode(self._texts[index], stops[:-1], stops[1:], self._sizes[index])[0]

    def extras(self, index: int) -> Sequence[Mapping[str, Any]]:
        """Return the other keys of each annotation of the image."""
        return self._extras[index]
