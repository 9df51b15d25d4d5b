"""FSS-1000: ten images and one foreground mask each for a thousand classes (Li et al., CVPR 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from entityseg.data.json_file import require_there
from entityseg.data.records import Dataset, ImageRecord
from entityseg.data.wild.labels import dataset_of, read_labels, require_any
from entityseg.errors import Findings, input_error
from entityseg.masks import RunLengths, from_dense

# Masks are grey pictures.
_FOREGROUND = 128
_LIST, _FOLDER = "fss_test_set.txt", "fewshot_data"


def read_fss(root: str | Path) -> tuple[Dataset, tuple[Path, ...], int]:
    """Read the test classes: `fewshot_data/CLASS/N.png`, one mask each; return the files and the number of classes.

    Raises:
        InputError: the list of classes is missing or empty, or classes have no masks; all of them are named.
    """
    root = Path(root)
    listed = root / _LIST
    names = _names(listed)
    findings = Findings()
    paths: list[Path] = []
    for name in names:
        folder = root / _FOLDER / name
        found = sorted(folder.glob("*.png"), key=lambda path: (len(path.stem), path.stem))
        if not found:
            message = "the folder of this class has no masks"
            findings.add("fss.class", message, f"Unpack {_FOLDER} whole.", file=str(folder), value=name)
        paths += found
    findings.raise_errors()

    def images() -> Iterator[tuple[ImageRecord, RunLengths]]:
        for number, path in enumerate(paths, start=1):
            mask = read_labels(path) > _FOREGROUND
            masks = from_dense(mask[None])
            file_name = path.with_suffix(".jpg").relative_to(root).as_posix()
            yield ImageRecord(number, file_name, *mask.shape), masks[np.flatnonzero(masks.areas > 0)]

    return dataset_of(root, images()), (listed, *paths), len(names)


def _names(listed: Path) -> list[str]:
    require_there(listed)
    try:
        lines = listed.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        message = f"the list is not UTF-8: {error.reason} at position {error.start}"
        raise input_error("fss.list", message, "Get the file again.", file=str(listed)) from error
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    require_any(bool(names), listed, "names of classes", "Write one class a line.")
    outside = [name for name in names if Path(name).name != name]
    if outside:
        message, remedy = "a class is the name of a folder, not a path", "Write one class a line."
        raise input_error("fss.name", message, remedy, file=str(listed), value=outside[0])
    return names
