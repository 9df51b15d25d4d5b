"""Options that several `entityseg data` commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FORMATS = "entity, entityseg-release, coco-instances, coco-panoptic, semantic, idmap, parquet"
Source = Annotated[
    Path, typer.Argument(metavar="SRC", help="A folder, or an annotation file.", show_default=False)
]
From = Annotated[str | None, typer.Option("--from", help=f"Format of SRC, where several fit: {FORMATS}.")]
Split = Annotated[
    str | None, typer.Option(help="Which reading of SRC, where it has several, such as val_lr.")
]
Images = Annotated[
    Path | None,
    typer.Option(
        exists=True, file_okay=False, help="Folder of the images, where they are not found by themselves."
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Images side by side; all cores if not given.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
