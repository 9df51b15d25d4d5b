"""Check the image files of a dataset: there, in their place, whole, and of the size that the records say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entityseg.data.formats import Reading
from entityseg.data.image_header import ImageHeader, read_header
from entityseg.data.images import FoundImage, How, locate_image
from entityseg.data.layout import IMAGE_SOURCE
from entityseg.data.records import Dataset, ImageRecord
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Findings, InputError
from entityseg.masks.runlengths import Size


@dataclass
class Headers:
    """Headers that were read already: several annotation files share the same images."""

    _known: dict[Path, ImageHeader | InputError] = field(default_factory=dict)

    def read(self, path: Path) -> ImageHeader | InputError:
        """Return the header of an image file, or what is wrong with it."""
        known = self._known.get(path)
        if known is None:
            try:
                known = read_header(path)
            except InputError as error:
                known = error
            self._known[path] = known
        return known


def check_images(
    dataset: Dataset,
    reading: Reading,
    headers: Headers,
    findings: Findings,
    *,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Check the image files of one reading; return counts for its summary."""

    def look(image: ImageRecord) -> tuple[FoundImage, ImageHeader | InputError | None]:
        found = locate_image(dataset, image)
        return found, headers.read(found.path) if found.path else None

    images = progress(dataset.images, len(dataset), f"{reading.split}: images")
    # The reader of semantic maps has compared them with the images already.
    compared = any(one.kind == "map.size" for one in dataset.warnings)
    places: dict[tuple[How, str, str], list[tuple[ImageRecord, FoundImage]]] = defaultdict(list)
    found_count = 0
    for image, (found, header) in zip(
        dataset.images, map_in_order(look, images, threads=threads), strict=True
    ):
        if found.path is None or header is None:
            places[found.how, _folder(image.file_name), ""].append((image, found))
            continue
        found_count += 1
        if found.how != "as written":
            places[found.how, _folder(image.file_name), str(found.path.parent)].append((image, found))
        if isinstance(header, InputError):
            findings.extend(header.findings)
        else:
            _check_header(image, found.path, header, reading, findings, compared)
    _add_places(places, dataset, reading, findings)
    return {"images_found": found_count}


def _folder(file_name: str) -> str:
    return file_name.rpartition("/")[0]


def _add_places(
    places: dict[tuple[How, str, str], list[tuple[ImageRecord, FoundImage]]],
    dataset: Dataset,
    reading: Reading,
    findings: Findings,
) -> None:
    """Add one finding for each folder of images that is not where it should be, instead of one an image."""
    root = dataset.image_root or reading.path.parent
    for (how, folder, there), members in places.items():
        image, found = members[0]
        count = f"{len(members):,} of {len(dataset):,} images"
        wanted = root / folder
        where: dict[str, Any] = {"file": str(reading.path), "field": "file_name", "value": image.file_name}
        if how == "missing":
            source = IMAGE_SOURCE if reading.format == "entityseg-release" else "where the dataset comes from"
            message = f"{count} are missing below {wanted}"
            findings.add("images.missing", message, f"Get them from {source}.", **where)
        elif how == "outside":
            message = f"{count} have a file name that leaves the folder of the images"
            findings.add("images.outside", message, "Write names relative to that folder.", **where)
        elif how == "ambiguous":
            candidates = ", ".join(str(path) for path in found.candidates[:3])
            message = (
                f"{count} are not in {wanted}, and several files elsewhere have their name: {candidates}"
            )
            remedy = "Give the right folder (`--images`), or move the images."
            findings.add("images.ambiguous", message, remedy, **where)
        elif how == "archive":
            message = f"{count} lie in {there}, the archive's own folder; they are found all the same"
            remedy = f"Other programs need them in {wanted}: move them there."
            findings.add("images.archive", message, remedy, severity="warning", **where)
        elif how == "renamed":
            message = (
                f"{count} have another extension or other upper and lower case on disk, such as {found.path}"
            )
            remedy = "Rename them as the annotation file has them; they are found all the same."
            findings.add("images.renamed", message, remedy, severity="warning", **where)
        else:
            message = f"{count} are misplaced: they lie in {there} instead of {wanted}"
            remedy = "Move them, or give that folder (`--images`); they are found all the same."
            findings.add("images.moved", message, remedy, severity="warning", **where)


def _check_header(
    image: ImageRecord,
    path: Path,
    header: ImageHeader,
    reading: Reading,
    findings: Findings,
    compared: bool,
) -> None:
    if not header.whole:
        message = "the image file is cut: its end is missing"
        findings.add("image.cut", message, "Download or unpack it again.", file=str(path))
    if header.size == image.size:
        if header.orientation >= 5:
            message = (
                f"the image has EXIF orientation {header.orientation}: viewers turn it, and the annotations "
                "belong to the pixels as stored"
            )
            remedy = "Read it without turning it (Pillow does not turn unless `exif_transpose` is called)."
            findings.add("image.exif", message, remedy, file=str(path), severity="warning")
        return
    if compared:
        return
    kind, message, remedy = size_difference(image.size, header, reading)
    where: dict[str, Any] = {"record": f"image {image.id}", "field": "height, width", "value": image.size}
    findings.add(kind, f"{message}: {path}", remedy, file=str(reading.path), **where)


def size_difference(record: Size, header: ImageHeader, reading: Reading) -> tuple[str, str, str]:
    """Return (kind, message, remedy) for a file whose size is not its record's.

    >>> reading = Reading("entityseg-release", "val", Path("val.json"))
    >>> size_difference((2000, 3000), ImageHeader((800, 1200)), reading)[0]
    'image.resolution'
    """
    sizes = (
        f"the record says {record[0]} x {record[1]}, the file has {header.size[0]} x {header.size[1]} pixels"
    )
    if header.size == record[::-1]:
        if header.shown_size == record:
            message = (
                f"{sizes} and EXIF orientation {header.orientation}: the record has the size after turning"
            )
            return (
                "image.exif",
                message,
                "Turn the image by its EXIF orientation when reading (`exif_transpose`).",
            )
        return (
            "image.swapped",
            f"{sizes}: height and width are swapped",
            "Write height and width the right way round.",
        )
    larger = header.size[0] * header.size[1] > record[0] * record[1]
    # Rounding moves a side by one pixel at the most, which is worth the other sides' ratio in pixels.
    slack = max(*header.size, *record)
    if abs(header.size[0] * record[1] - header.size[1] * record[0]) > slack:
        return "image.size", sizes, "The file is another picture or was cropped: get the original."
    if reading.format in ("semantic", "entityseg-release") and reading.split.startswith("semantic"):
        message = f"{sizes}: the maps fit the images of the other resolution (issue 47 of qqlu/Entity)"
        return (
            "semantic.size",
            message,
            "Give `images_lr` as their folder (`--images`), or resize the maps (nearest).",
        )
    which = ("high", "low") if larger else ("low", "high")
    message = f"{sizes}: it looks like the {which[0]}-resolution image with {which[1]}-resolution annotations"
    return "image.resolution", message, "Use `images_lr` with the `_lr` files, and `images` with the others."
