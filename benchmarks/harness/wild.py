"""Sets in the wild: readers of LVIS, OCID and FSS-1000, and recall of class-agnostic masks that may overlap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks.harness.images import ImagesAdapter
from entityseg.data import coco_slow
from entityseg.data.coco_json import read_categories, read_images
from entityseg.data.coco_records import Wanted
from entityseg.data.json_file import parse_json_file, require_type
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.data.threads import Progress
from entityseg.errors import Findings, input_error
from entityseg.masks import RunLengths, from_dense, from_id_map
from entityseg.metrics.result import Score

_ENTITY = Category(1, "entity")
# Labels of OCID that are no things: far away, and what they stand on; in sequences on tables also the table.
_BACKGROUND = {"floor": (0, 1), "table": (0, 1, 2)}
# FSS-1000's masks are grey pictures.
_FOREGROUND = 128


class RecallAdapter(ImagesAdapter):
    """Class-agnostic masks of which only recall is asked; they may overlap."""

    def score(
        self,
        path: Path,
        *,
        mode: str,
        options: Mapping[str, Any],
        bootstrap: int,
        seed: int,
        threads: int | None,
        progress: Progress | None,
    ) -> Score:
        """Score a file of predictions; figures of precision make no sense here and are left out."""
        scored = super().score(
            path, mode=mode, options={"overlap": "allow", **options}, bootstrap=bootstrap, seed=seed,
            threads=threads, progress=progress,
        )  # fmt: skip
        return Score(
            metric="AR",
            mode=scored.mode,
            values=_recalls(scored.values),
            intervals=_recalls(scored.intervals),
            counts=scored.counts,
            options=scored.options,
            warnings=scored.warnings,
            per_image={unit: _recalls(values) for unit, values in (scored.per_image or {}).items()},
        )


def _recalls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name.startswith("AR")}


def read_lvis(path: Path) -> Dataset:
    """Read LVIS v1: COCO whose images have a `coco_url` in place of a file name.

    Raises:
        InputError: it is no such file, or a record is wrong; all problems are listed.
    """
    top = require_type(parse_json_file(path), dict, "the file", str(path))
    findings = Findings(str(path))
    listed = require_type(top.get("images"), list, "`images`", str(path))
    images = read_images([_with_name(record) for record in listed], findings)
    categories = read_categories(top.get("categories"), findings)
    index_of = {image.id: index for index, image in enumerate(images)}
    annotations = require_type(top.get("annotations"), list, "`annotations`", str(path))
    wanted = Wanted("annotations")
    records = coco_slow.read_records(annotations, images, index_of, wanted, findings)
    findings.raise_errors()
    return Dataset(
        images=tuple(images),
        categories=tuple(categories),
        offsets=records.offsets,
        ids=records.ids,
        category_ids=records.category_ids,
        iscrowd=records.iscrowd,
        source=records.source,
        path=path,
        # The images are COCO's, which lies beside.
        image_root=path.parent.parent / "coco",
        warnings=findings,
    )


def _with_name(record: Any) -> Any:
    """Return an image's record with a file name, such as `val2017/000000397133.jpg`, from its URL."""
    url = record.get("coco_url") if isinstance(record, dict) else None
    return {**record, "file_name": "/".join(url.split("/")[-2:])} if isinstance(url, str) else record


def read_ocid(root: Path) -> tuple[Dataset, tuple[Path, ...]]:
    """Read OCID: each `seq*/label/*.png` beside its `rgb/*.png`; returns the label files too.

    Labels 0 and 1 are background, in sequences on tables 2 too; each other one is an entity.
    """
    labels = tuple(sorted(path for path in root.rglob("label/*.png") if "seq" in path.parent.parent.name))

    def images() -> Iterator[AnnotatedImage]:
        for number, path in enumerate(labels, start=1):
            values = _read_labels(path)
            place = "table" if "table" in path.relative_to(root).parts else "floor"
            _, masks = from_id_map(np.where(np.isin(values, _BACKGROUND[place]), 0, values).astype(np.uint32))
            file = path.parent.parent / "rgb" / path.name
            image = ImageRecord(number, file.relative_to(root).as_posix(), *values.shape)
            yield _annotated(image, masks)

    return Dataset.build(_numbered(images()), [_ENTITY], path=root, image_root=root), labels


def read_fss(root: Path) -> tuple[Dataset, tuple[Path, ...], int]:
    """Read FSS-1000's test classes: `fewshot_data/CLASS/N.png`, one mask each; returns the files and the classes.

    Raises:
        InputError: a class of the list has no folder.
    """
    listed = root / "fss_test_set.txt"
    names = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()]
    paths = []
    for name in names:
        folder = root / "fewshot_data" / name
        found = sorted(folder.glob("*.png"), key=lambda path: (len(path.stem), path.stem))
        if not found:
            message, remedy = "the folder of this class has no masks", "Unpack fewshot_data whole."
            raise input_error("fss.class", message, remedy, file=str(folder), value=name)
        paths += found

    def images() -> Iterator[AnnotatedImage]:
        for number, path in enumerate(paths, start=1):
            mask = _read_labels(path) > _FOREGROUND
            image = ImageRecord(number, path.with_suffix(".jpg").relative_to(root).as_posix(), *mask.shape)
            masks = from_dense(mask[None])
            yield _annotated(image, masks[np.flatnonzero(masks.areas > 0)])

    dataset = Dataset.build(_numbered(images()), [_ENTITY], path=root, image_root=root)
    return dataset, (listed, *paths), len(names)


def _read_labels(path: Path) -> NDArray[np.int64]:
    """Return a PNG of labels; of one in colour, whose channels are equal, the first."""
    from PIL import Image

    try:
        with Image.open(path) as file:
            values = np.asarray(file).astype(np.int64)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        message = f"the labels cannot be read: {error}"
        raise input_error("image.unreadable", message, "Get the file again.", file=str(path)) from error
    return values if values.ndim == 2 else values[..., 0]


def _annotated(image: ImageRecord, masks: RunLengths) -> AnnotatedImage:
    n = len(masks)
    return AnnotatedImage(image, masks, np.arange(n), np.ones(n, np.int64), np.zeros(n, bool))


def _numbered(images: Iterable[AnnotatedImage]) -> Iterator[AnnotatedImage]:
    """Give the annotations ids that are unique in the whole set."""
    first = 1
    for one in images:
        ids = np.arange(first, first + len(one), dtype=np.int64)
        first += len(one)
        yield AnnotatedImage(one.image, one.masks, ids, one.category_ids, one.iscrowd)
