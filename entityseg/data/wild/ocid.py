"""OCID: cluttered table tops and floors, a label picture beside each frame (Suchi et al., ICRA 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from entityseg.data.records import Dataset, ImageRecord
from entityseg.data.wild.labels import dataset_of, read_labels, require_any
from entityseg.masks import RunLengths, from_id_map

# Labels that are no things: far away, and what they stand on; in sequences on tables also the table (the loader of
# UnseenObjectClustering).
_BACKGROUND = {"floor": (0, 1), "table": (0, 1, 2)}


def read_ocid(root: str | Path) -> tuple[Dataset, tuple[Path, ...]]:
    """Read OCID: each `*seq*/label/*.png` beside its `rgb/*.png`; return the label files too.

    Labels 0 and 1 are background, in sequences on tables 2 too; each other one is an entity.

    Raises:
        InputError: there are no labels, or some cannot be read.
    """
    root = Path(root)
    labels = tuple(sorted(path for path in root.rglob("label/*.png") if "seq" in path.parent.parent.name))
    remedy = "Give the folder with ARID20, ARID10 and YCB10; frames lie in .../seqNN/rgb, labels in .../seqNN/label."
    require_any(bool(labels), root, "pictures label/*.png in a folder *seq*", remedy)

    def images() -> Iterator[tuple[ImageRecord, RunLengths]]:
        for number, path in enumerate(labels, start=1):
            values = read_labels(path)
            place = "table" if "table" in path.relative_to(root).parts else "floor"
            _, masks = from_id_map(np.where(np.isin(values, _BACKGROUND[place]), 0, values).astype(np.uint32))
            file = path.parent.parent / "rgb" / path.name
            yield ImageRecord(number, file.relative_to(root).as_posix(), *values.shape), masks

    return dataset_of(root, images()), labels
