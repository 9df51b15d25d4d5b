"""Masks that lie in a PNG for each image, next to a JSON that lists what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.formats import _png_files as png
from entityseg.data.records import ImageRecord
from entityseg.errors import Findings, InputError
from entityseg.masks.runlengths import Int64Array, RunLengths


@dataclass(frozen=True)
class PngSource:
    """Masks read from an image's PNG when asked for; it must have what the JSON lists, and nothing else.

    Attributes:
        json: path of the JSON, for error messages.
        list_name: name of the list of an image's segments or entities in the JSON.
        root: folder of the PNGs.
        images: the images.
        names: name of each image's PNG as the JSON spells it, None for an image without one.
        records: place of each image's record, such as `annotations[3]`.
        offsets: int64 [images + 1], the rows of each image.
        values: int64 [rows], the pixel value of each row, unique in its image.
        kept: other keys of the rows of each image.
        empty: bool [rows], rows that have no pixel by what the JSON says; None if there are none.
    """

    json: str
    list_name: str
    root: Path
    images: Sequence[ImageRecord]
    names: Sequence[str | None]
    records: Sequence[str]
    offsets: Int64Array
    values: Int64Array
    kept: Sequence[Sequence[Mapping[str, Any]]]
    empty: NDArray[np.bool_] | None = None

    def masks(self, index: int) -> RunLengths:
        """Return the masks of image number `index`.

        Raises:
            InputError: the PNG is missing, damaged, of another size, or its values disagree with the JSON.
        """
        findings = Findings(self.json)
        masks = self.checked_masks(index, findings)
        findings.raise_errors()
        return masks

    def checked_masks(self, index: int, findings: Findings) -> RunLengths:
        """Return the masks of an image; what is wrong goes to `findings` and leaves masks empty."""
        from entityseg.masks import from_panoptic_png

        size, record, name = self.images[index].size, self.records[index], self.names[index]
        rows = slice(self.offsets[index], self.offsets[index + 1])
        wanted = self.values[rows]
        nothing = RunLengths.empty(size, len(wanted))
        if name is None:
            return nothing
        path = png.find_png(self.root, name)
        if path is None:
            findings.append(png.missing_file(self.root / png.png_candidates(name)[0], record))
            return nothing
        try:
            found, masks = from_panoptic_png(path, size=size)
        except InputError as error:
            for finding in png.located(error, path, record):
                findings.append(finding)
            return nothing
        there = np.isin(wanted, found)
        absent = ~there if self.empty is None else ~there & ~self.empty[rows]
        place = f"{path.name}, {record}"
        for value in wanted[absent].tolist():
            message = f"the JSON lists this in {self.list_name}, the PNG has no pixel of it"
            remedy = "Write PNG and JSON again from one source; they do not belong together."
            findings.add("png.ids", message, remedy, file=self.json, record=place, field="id", value=value)
        for value in np.setdiff1d(found, wanted).tolist():
            pixels = int(masks.areas[np.searchsorted(found, value)])
            message = (
                f"the PNG has {pixels} pixels of this value, the JSON does not list it in {self.list_name}"
            )
            remedy = "List it, or paint its pixels 0 (void)."
            findings.add("png.ids", message, remedy, file=self.json, record=place, field="id", value=value)
        # One more, empty mask stands for what the PNG does not have.
        masks = RunLengths.concatenate([masks, RunLengths.empty(size, 1)])
        return masks[np.where(there, np.searchsorted(found, wanted), len(found)).astype(np.int64)]

    def extras(self, index: int) -> Sequence[Mapping[str, Any]]:
        """Return the other keys of each row of the image."""
        return self.kept[index]
