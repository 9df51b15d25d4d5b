"""`entityseg data info` and `doctor`: what a dataset is, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli.common import counted, load_masks, percent, print_findings, print_json, progress, table
from entityseg.cli.data_options import From, Images, Json, Source, Split, Threads

if TYPE_CHECKING:
    from entityseg.data.formats import Reading
    from entityseg.data.records import Dataset
    from entityseg.report.summary import Summary

INFO_EXAMPLES = (
    "entityseg data info annotations/entityseg_val.json",
    "entityseg data info mini                 # several readings: lists them",
    "entityseg data info mini --split val --json",
)
DOCTOR_EXAMPLES = (
    "entityseg data doctor EntitySeg/",
    "entityseg data doctor EntitySeg/ --split val --quick",
    "entityseg data doctor val.json --json",
)


def info(
    src: Source, from_: From = None, split: Split = None, threads: Threads = None, as_json: Json = False
) -> None:
    """Say what a dataset is: format, images, masks, classes, sizes, coverage, licence."""
    load_masks()
    from entityseg.data.loading import choose, find_readings, load
    from entityseg.report.summary import summarise

    found = find_readings(src, format=from_)
    if split is None and len(found) > 1:
        _list_readings(src, found, as_json)
        return
    reading = choose(src, format=from_, split=split)
    dataset = load(src, format=from_, split=split, threads=threads, progress=progress)
    summary = summarise(dataset, threads=threads, progress=progress)
    what = {
        "format": reading.format,
        "split": reading.split,
        "path": str(reading.path),
        "image_root": None if dataset.image_root is None else str(dataset.image_root),
        "categories": len(dataset.categories),
        "warnings": dataset.warnings.to_json(),
    }
    if as_json:
        print_json({**what, **summary.to_json()})
        return
    print_findings(dataset.warnings)
    for name, value in _info_rows(reading, dataset, summary):
        print(f"{name:<18}{value}")


def _list_readings(src: Path, found: list[Reading], as_json: bool) -> None:
    if as_json:
        listed = [{"format": one.format, "split": one.split, "path": str(one.path)} for one in found]
        print_json({"readings": listed})
        return
    print(f"{src} can be read in {len(found)} ways; choose one by --split (and --from):\n")
    print(table(["split", "format"], [[one.split, one.format] for one in found]))


def _info_rows(reading: Reading, dataset: Dataset, summary: Summary) -> list[tuple[str, str]]:
    figures = summary.to_json()
    kinds = (
        f"{summary.things:,} things, {summary.stuff:,} stuff"
        if summary.things or summary.stuff
        else "not said"
    )

    def spread(name: str, digits: int = 1) -> str:
        values = figures[name]
        if values is None:
            return "-"
        mean, least, most = (f"{values[key]:,.{digits}f}" for key in ("mean", "min", "max"))
        return f"{mean} on average, {least} to {most}"

    coverage = figures["coverage"]
    return [
        ("format", f"{reading.format} (split {reading.split})"),
        ("file", str(reading.path)),
        ("images", f"{len(dataset):,}, {figures['empty_images']:,} of them without masks"),
        ("masks", f"{len(summary.areas):,}, and {summary.crowd:,} crowd"),
        ("masks per image", spread("masks_per_image")),
        ("mask area", f"{spread('mask_area', 0)} pixels"),
        ("width", f"{spread('width', 0)} pixels"),
        ("height", f"{spread('height', 0)} pixels"),
        ("coverage", "-" if coverage is None else f"{percent(coverage['mean'])} % of the pixels on average"),
        ("overlap", f"in {counted(summary.overlapping, 'image')}"),
        ("categories", f"{len(dataset.categories):,}, {len(summary.categories_used):,} of them used"),
        ("things and stuff", kinds),
        ("licence", summary.license or "not said in the file"),
    ]


def doctor(
    src: Source,
    from_: From = None,
    split: Split = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave the masks out.")] = False,
    min_coverage: Annotated[
        float, typer.Option(min=0, max=1, help="Share of an image that its entities should cover.")
    ] = 0.99,
    images: Images = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Check a folder or file: what is missing, misplaced, mis-sized, overlapping or uncovered."""
    load_masks()
    from entityseg.data.doctor import examine

    report = examine(
        src, format=from_, split=split, quick=quick, min_coverage=min_coverage, image_root=images,
        threads=threads, progress=progress,
    )  # fmt: skip
    if as_json:
        print_json(report.to_json())
    else:
        print("\n".join(report.lines()))
    if report.exit_code:
        raise typer.Exit(report.exit_code)
