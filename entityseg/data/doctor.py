"""What is wrong with a dataset on disk (missing, misplaced, mis-sized, overlapping, ...) and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from entityseg.data.doctor_images import Headers, check_images
from entityseg.data.doctor_masks import MIN_COVERAGE, check_dataset_masks
from entityseg.data.doctor_release import check_release, release_notes
from entityseg.data.formats import Reading, get_format
from entityseg.data.images import look_again
from entityseg.data.loading import choose, find_readings
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import Findings, InputError, UsageError


@dataclass
class Report:
    """What `examine` found.

    Attributes:
        root: what was examined.
        datasets: a summary of each reading.
        findings: what is wrong, each with its remedy.
        notes: what is good to know and needs no remedy.
    """

    root: Path
    datasets: list[dict[str, Any]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing at all was found."""
        return len(self.findings) == 0

    @property
    def exit_code(self) -> int:
        """0 if nothing was found, else 1."""
        return 0 if self.clean else 1

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        many = len(self.datasets)
        lines = [f"{self.root}: {many} annotation set{'s' * (many != 1)}"]
        lines += [f"  {_summary_line(summary)}" for summary in self.datasets]
        lines += self.findings.lines()
        lines += [f"note: {note}" for note in self.notes]
        errors, warnings = self.findings.errors, self.findings.warnings
        verdict = f"{errors:,} error{'s' * (errors != 1)}, {warnings:,} warning{'s' * (warnings != 1)}"
        return [*lines, "nothing is wrong" if self.clean else verdict]

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "root": str(self.root),
            "datasets": self.datasets,
            **self.findings.to_json(),
            "notes": self.notes,
        }


def examine(
    path: str | Path,
    *,
    format: str | None = None,
    split: str | None = None,
    quick: bool = False,
    min_coverage: float = MIN_COVERAGE,
    image_root: str | Path | None = None,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> Report:
    """Check a folder or an annotation file: all that can be read there, and a release's tree as a whole.

    Images are checked by their headers and last bytes; their pixels are not decoded.

    Args:
        path: a folder (of the EntitySeg release, or of any format), or an annotation file.
        format: limit the check to readings of this format.
        split: limit the check to readings of this name.
        quick: leave the masks out.
        min_coverage: share of an image's pixels that the entities of an entity file should cover. (The
            paper's mean is 0.999; single images may have less.)
        image_root: folder of the images, where they are not found by themselves.
        threads: images checked side by side.
        progress: shows how far the check is.

    Raises:
        UsageError: there is nothing to check, or no reading of this format and split.
        MissingFileError: there is no such path.
    """
    path = Path(path)
    look_again()
    report = Report(path)
    found = [one for one in find_readings(path, format=format) if split in (None, one.split)]
    whole_tree = path.is_dir() and format in (None, "entityseg-release") and split is None
    is_release = whole_tree and check_release(path, report.findings)
    if not found and not is_release:
        choose(path, format=format, split=split)
    headers = Headers()
    for reading in found:
        reading = replace(reading, image_root=Path(image_root)) if image_root is not None else reading
        summary = _examine_one(reading, report, headers, quick, min_coverage, threads, progress)
        report.datasets.append(summary)
        if reading.format == "entityseg-release":
            report.notes += release_notes(reading)
    return report


def _examine_one(
    reading: Reading,
    report: Report,
    headers: Headers,
    quick: bool,
    min_coverage: float,
    threads: int | None,
    progress: Progress,
) -> dict[str, Any]:
    """Check one reading; return its summary."""
    summary: dict[str, Any] = {"format": reading.format, "split": reading.split, "path": str(reading.path)}
    try:
        dataset = get_format(reading.format).read(reading.path, image_root=reading.image_root)
    except UsageError:
        raise
    except InputError as error:
        report.findings.extend(error.findings)
        return {**summary, "readable": False}
    report.findings.extend(dataset.warnings)
    summary |= {
        "readable": True,
        "images": len(dataset),
        "entities": dataset.n_annotations,
        "categories": len(dataset.categories),
    }
    summary |= check_images(dataset, reading, headers, report.findings, threads=threads, progress=progress)
    if not quick:
        summary |= check_dataset_masks(
            dataset, reading, report.findings, min_coverage=min_coverage, threads=threads, progress=progress
        )
    return summary


def _summary_line(summary: Mapping[str, Any]) -> str:
    name = f"{summary['format']} {summary['split']}"
    if not summary["readable"]:
        return f"{name}: cannot be read"
    counts = (f"{summary[key]:,} {key}" for key in ("images", "entities", "categories"))
    parts = [f"{name}: {', '.join(counts)}", f"{summary['images_found']:,} image files"]
    if summary.get("mean_coverage") is not None:
        parts.append(f"coverage {summary['mean_coverage']:.4f}")
    if summary.get("images_with_overlap"):
        parts.append(f"{summary['images_with_overlap']:,} images with overlap")
    return ", ".join(parts)
