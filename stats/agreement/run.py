"""Agreement between the annotators of the same images, from their files to figures with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from entityseg.data.records import Dataset, ImageRecord
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Findings, usage_error
from entityseg.metrics.result import Counts, Score
from entityseg.stats.agreement.image import ImageAgreement, Pairs
from entityseg.stats.agreement.table import AnnotatorAgreement

By = Literal["auto", "file_name", "id"]
_Key = Any


@dataclass(frozen=True)
class AgreementScore(Score):
    """A `Score` of two annotators.

    Attributes:
        tied: COCO's AP with all scores equal, by direction: mean, lowest and highest over the orders of the ties.
    """

    tied: Mapping[str, Mapping[str, float] | None] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return one JSON object."""
        return {**super().to_json(), "tied": dict(self.tied or {})}


def agreement(
    a: str | Path | Dataset,
    b: str | Path | Dataset,
    *,
    by: By = "auto",
    pairs: Pairs = "iou",
    orders: int = 20,
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> AgreementScore:
    """Return how far two annotators agree on the images that both have.

    Args:
        a, b: their datasets, as `entityseg.load` takes them, or loaded.
        by: what makes two images the same: their file name (without folders), their id, or file names unless these
            repeat or nothing is shared.
        pairs: whose classes are compared: masks whose IoU reaches .5, or those with one annotation id ("under the
            same mask annotations").
        orders: orders of the ties for COCO's AP.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the orders and of the resampling.
        per_image: whether to give the figures of each image alone.
        threads: images side by side.
        progress: shows how far the images are.

    Raises:
        UsageError: no image is shared.
        InputError: a file is not in order, or an image has two sizes; all problems are listed.
    """
    a, b = _load(a), _load(b)
    key = _key(a, b, by)
    index_a, index_b = _index(a, key), _index(b, key)
    shared = [name for name in index_a if name in index_b]
    findings = Findings()
    _say_what_is_alone(a, b, index_a, index_b, findings)
    _refuse_sizes(a, b, [(index_a[name], index_b[name]) for name in shared], findings)
    if not shared:
        message = "the two have no image in common"
        remedy = "Give annotations of the same images; see `--by` for what makes two images the same."
        raise usage_error("agreement.disjoint", message, remedy, file=f"{a.path}, {b.path}", value=by)
    _compare_categories(a, b, findings)
    findings.raise_errors()
    table = AnnotatorAgreement(pairs, orders, seed)

    def one(name: _Key) -> ImageAgreement:
        return table.compare(name, a[index_a[name]], b[index_b[name]])

    rows = map_in_order(one, shared, threads=threads)
    for name, row in zip(shared, progress(rows, len(shared), "comparing"), strict=True):
        table.add(name, row)
    return AgreementScore(
        metric="agreement",
        mode="canonical",
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=_counts(table, len(a), len(b)),
        options={"pairs": pairs},
        warnings=findings,
        per_image=_per_image(table) if per_image else None,
        tied={
            name: {"mean": spread.mean, "low": spread.low, "high": spread.high} if spread else None
            for name, spread in table.tied().items()
        },
    )


def agreements(
    annotators: Sequence[str | Path | Dataset], names: Sequence[str] | None = None, **options: Any
) -> dict[tuple[str, str], AgreementScore]:
    """Return the agreement of all pairs of annotators, by their names.

    Args:
        annotators: two or more datasets.
        names: one each, all different; those of their files where not given.
        options: those of `agreement`.

    Raises:
        UsageError, InputError: see `agreement`; names repeat.
    """
    if len(annotators) < 2:
        message = f"agreement is between two annotators or more, not {len(annotators)}"
        raise usage_error("agreement.names", message, "Give two or more annotations of the same images.")
    loaded = [_load(one) for one in annotators]
    named = list(names) if names is not None else _names(loaded)
    if len(named) != len(loaded) or len(set(named)) != len(loaded):
        message = f"{len(loaded)} annotators need as many different names, not {named}"
        raise usage_error("agreement.names", message, "Give each a name of its own.")
    return {
        (named[i], named[j]): agreement(loaded[i], loaded[j], **options)
        for i, j in combinations(range(len(loaded)), 2)
    }


def _load(one: str | Path | Dataset) -> Dataset:
    from entityseg.data.loading import load

    return one if isinstance(one, Dataset) else load(one)


def _names(datasets: Sequence[Dataset]) -> list[str]:
    stems = [one.path.stem if one.path is not None else "given" for one in datasets]
    return stems if len(set(stems)) == len(stems) else [f"{k + 1} ({stem})" for k, stem in enumerate(stems)]


def _file_name(image: ImageRecord) -> _Key:
    return Path(image.file_name).name


def _image_id(image: ImageRecord) -> _Key:
    return image.id


def _key(a: Dataset, b: Dataset, by: By) -> Any:
    """Return the function that gives an image's key."""
    if by != "auto":
        return _file_name if by == "file_name" else _image_id
    names = [{_file_name(image) for image in one.images} for one in (a, b)]
    unique = len(names[0]) == len(a) and len(names[1]) == len(b)
    return _file_name if unique and names[0] & names[1] else _image_id


def _index(dataset: Dataset, key: Any) -> dict[_Key, int]:
    found: dict[_Key, int] = {}
    findings = Findings()
    for index, image in enumerate(dataset.images):
        if key(image) in found:
            message = "two images have one name, so it does not say which is meant"
            findings.add(
                "agreement.name", message, "Match by id (`--by id`).",
                file=str(dataset.path), record=f"image {image.id}", field="file_name", value=image.file_name,
            )  # fmt: skip
        found[key(image)] = index
    findings.raise_errors()
    return found


def _say_what_is_alone(
    a: Dataset, b: Dataset, index_a: Mapping[_Key, int], index_b: Mapping[_Key, int], findings: Findings
) -> None:
    for dataset, index, other in ((a, index_a, index_b), (b, index_b, index_a)):
        for name in index:
            if name not in other:
                findings.add(
                    "agreement.alone", "the other annotator does not have this image; it is left out",
                    "Compare what both annotated, or check the names.",
                    file=str(dataset.path), record=f"image {name}", severity="warning",
                )  # fmt: skip


def _refuse_sizes(a: Dataset, b: Dataset, pairs: Sequence[tuple[int, int]], findings: Findings) -> None:
    for i, j in pairs:
        one, other = a.images[i], b.images[j]
        if one.size != other.size:
            swapped = " (height and width are swapped)" if one.size == other.size[::-1] else ""
            message = f"the image is {one.size} here and {other.size} (height, width) there{swapped}"
            findings.add(
                "agreement.size", message, "Compare annotations of the same files, at one resolution.",
                file=str(b.path), record=f"image {other.file_name}", field="size", value=other.size,
            )  # fmt: skip


def _compare_categories(a: Dataset, b: Dataset, findings: Findings) -> None:
    for category in a.categories:
        other = b.category_of.get(category.id)
        if other is not None and other.name.strip() != category.name.strip():
            findings.add(
                "agreement.category", f"category {category.id} is {category.name!r} to one and {other.name!r} to the "
                "other; they count as the same", "Give both one list of categories.",
                file=str(b.path), record=f"category {category.id}", field="name", value=other.name, severity="warning",
            )  # fmt: skip


def _counts(table: AnnotatorAgreement, n_a: int, n_b: int) -> Counts:
    rows = list(table.units.values())
    details = {
        "only_in_a": n_a - len(rows),
        "only_in_b": n_b - len(rows),
        "masks_a": sum(row.n_a for row in rows),
        "masks_b": sum(row.n_b for row in rows),
        "matched": sum(int(row.matched[0]) for row in rows),
        "pairs_of_classes": sum(len(row.classes) for row in rows),
        "images_with_other_number_of_masks": sum(row.n_a != row.n_b for row in rows),
        "images_with_overlap": sum(row.disjoint is None for row in rows),
    }
    empty = sum(row.n_b == 0 for row in rows)
    return Counts(expected=n_a, predicted=len(rows), missing=n_a - len(rows), empty=empty, details=details)


def _per_image(table: AnnotatorAgreement) -> dict[_Key, dict[str, float | None]]:
    masks = {name: {"masks_a": row.n_a, "masks_b": row.n_b} for name, row in table.units.items()}
    return {name: {**masks[name], **values} for name, values in table.per_unit().items()}
