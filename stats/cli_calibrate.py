"""`entityseg stats calibrate`: which choices come nearest to the published convexity and simplicity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli import common
from entityseg.stats.cli_compute import Data, From, Jobs, Json, Split

EXAMPLES = (
    "entityseg stats calibrate panoptic_val2017.json",
    "entityseg stats calibrate panoptic_train2017.json --out calibration.csv --rows 0",
    "entityseg stats calibrate ade20k_panoptic_val.json --published ADE20K --json",
)
_SHOWN = ("perimeter", "holes", "parts", "hull", "average", "stuff", "crowd")
# Each figure, and behind it by how much it is off.
_FIGURES = ("convexity", "convexity_off", "simplicity", "simplicity_off", "distance")
_HEADER = ("convexity", "off", "simplicity", "off", "distance")


def calibrate(
    data: Data,
    from_: From = None,
    split: Split = None,
    published: Annotated[
        str, typer.Option(help="Dataset of the paper's Table 2 to come near to: COCO, ADE20K or EntitySeg.")
    ] = "COCO",
    rows: Annotated[int, typer.Option(min=0, help="How many choices to print, nearest first.")] = 20,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the whole table as CSV.")] = None,
    jobs: Jobs = None,
    as_json: Json = False,
) -> None:
    """Find the choices nearest to the published shapes.

    Tries every choice of hull, perimeter, holes, parts, average, stuff and crowd, and sorts by the distance.

    The papers print the convexity and simplicity of COCO, and not how they were measured. A small sample settles
    nothing: run it on the full set.
    """
    common.load_masks()
    from entityseg.data.targets import require_own_file
    from entityseg.files import write_bytes
    from entityseg.stats.dataset.calibrate import calibrate as calibrate_dataset
    from entityseg.stats.dataset.calibrate import published_target
    from entityseg.stats.dataset.compute import open_dataset
    from entityseg.stats.dataset.exports import to_csv

    target = published_target(published)
    if out is not None:
        require_own_file(out, "table of choices", lambda begin: begin.startswith(b"perimeter,"))
    opened = open_dataset(data, format=from_, split=split)
    common.print_findings(opened.dataset.warnings)
    found = calibrate_dataset(opened.dataset, target, jobs=jobs, progress=common.progress)
    if out is not None:
        write_bytes(out, to_csv(found.table).encode())
        common.note(f"written: {out}")
    records = found.table.records()
    if as_json:
        common.print_json({"target": target._asdict(), "without_effect": list(found.idle), "rows": records})
        return
    print(f"{found.table.title}\n{common.counted(len(opened.dataset), 'image')}, {len(records)} choices\n")
    shown = [
        [*(_word(one[name]) for name in _SHOWN), *(_number(one[name]) for name in _FIGURES)]
        for one in records[:rows]
    ]
    print(common.table([*_SHOWN, *_HEADER], shown))
    if found.idle:
        print(f"\nwithout effect on this set: {', '.join(found.idle)}")


def _word(cell: object) -> str:
    return ("yes" if cell else "no") if isinstance(cell, bool) else str(cell)


def _number(cell: object) -> str:
    return "-" if cell is None else f"{cell:.4f}"
