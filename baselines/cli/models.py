"""`entityseg models ...`: the model families, released weights converted, and what a model holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from entityseg.cli import common

app = common.new_app(
    "Models: families, converted weights, and what a model holds.",
    [
        "entityseg models list",
        "entityseg models convert CropFormer_hornet_3x_03823a.pth models/cropformer-hornet",
        "entityseg models convert hornet_large_gf_in22k.pth backbones/hornet-large",
        "entityseg models info models/cropformer-hornet",
    ],
)

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list", epilog=common.epilog("entityseg models list", "entityseg models list --json"))
def list_models(as_json: _Json = False) -> None:
    """List the model families.

    With what supports them, and how far their numbers have been checked.
    """
    from entityseg.baselines.catalogue import FAMILIES

    if as_json:
        common.print_json({"models": [family.to_json() for family in FAMILIES.values()]})
        return
    width = max(len(name) for name in FAMILIES)
    for family in FAMILIES.values():
        released = "released weights can be converted" if family.convertible else "no released weights"
        print(f"{family.name:<{width}}  {family.title} ({family.source})")
        print(f"{'':<{width}}  {family.support}, {family.parity}; {released}")
        print(f"{'':<{width}}  {family.notes}")


@app.command(
    epilog=common.epilog(
        "entityseg models info models/cropformer-hornet",
        "entityseg models info CropFormer_hornet_3x_03823a.pth --json",
    )
)
def info(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a model or backbone, or a released file.")
    ],
    as_json: _Json = False,
) -> None:
    """Show what a folder or a checkpoint holds.

    Family, sizes, parameters, digest, and where the weights come from.
    """
    from entityseg.baselines.extra import require_models

    require_models()
    from entityseg.baselines.checkpoints import describe

    told = describe(model)
    if as_json:
        common.print_json(told)
        return
    provenance = told.get("provenance")
    family = told["family"]
    rows: dict[str, Any] = {
        "family": f"{family} ({told['support']}, {told['parity']})" if "support" in told else family,
        "parameters": f"{told['parameters']:,} ({told['dtype']})",
        **told["sizes"],
        "sha256": told["sha256"],
    }
    if provenance:
        rows["converted from"] = f"{provenance['source']['file']}, sha256 {provenance['source']['sha256']}"
        rows["licence"] = provenance["licence"]
    if told.get("assumed"):
        rows["assumed"] = _listed(told["assumed"])
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")


@app.command(
    epilog=common.epilog(
        "entityseg models convert CropFormer_swin_tiny_3x_5cea5e.pth models/cropformer-swin-tiny",
        "entityseg models convert Mask2Former_Swin_Tiny.pth models/panoptic --categories categories.json",
        "entityseg models convert hornet_large_gf_in22k.pth backbones/hornet-large",
    )
)
def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File that the authors released.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; new or empty.")],
    family: Annotated[
        str | None,
        typer.Option(help="Family; told by the file. `vmask2former` starts one from a mask2former."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="What the classes mean; told by their number where that is a known one."),
    ] = None,
    heads: Annotated[
        int | None, typer.Option(min=1, help="Attention heads of the decoders; as the pixel decoder's.")
    ] = None,
    association_heads: Annotated[
        int | None, typer.Option(min=1, help="Attention heads of CropFormer's association; as the decoders'.")
    ] = None,
    pre_norm: Annotated[
        bool | None,
        typer.Option(
            "--pre-norm/--post-norm", help="Where normalisation stands; behind the blocks, as released."
        ),
    ] = None,
    gate_scale: Annotated[
        float | None, typer.Option(help="What a HorNet's gates are scaled by; 1/3, as released.")
    ] = None,
    categories: Annotated[
        Path | None, typer.Option(help="JSON file with the dataset's categories, for class-aware models.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Convert released weights of Mask2Former, CropFormer, or a backbone alone.

    Nothing in the file is run, and every weight must fit. A Swin transformer or a HorNet of its authors gives a
    folder that a training starts from (`model.weights`).
    """
    from entityseg.baselines.extra import require_models

    require_models()
    from entityseg.baselines.checkpoints import convert_file

    record = convert_file(
        file,
        out,
        family=family,
        categories=categories,
        task=task,
        heads=heads,
        association_heads=association_heads,
        pre_norm=pre_norm,
        gate_scale=gate_scale,
    )
    if as_json:
        common.print_json({"out": str(out), **record})
        return
    name = f"{record['backbone']} alone" if "backbone" in record else record["family"]
    print(f"{name} of {record['parameters']:,} parameters written to {out}")
    print(f"weights sha256 {record['weights']['sha256']}")
    if record["assumed"]:
        print(f"taken as given, for no shape tells it: {_listed(record['assumed'])}")
    if "backbone" in record:
        # Indices and masks follow from the sizes.
        left = [name for name in record["dropped"] if not name.endswith(("_index", "_mask"))]
        print(f"left out: {', '.join(left) or 'nothing'}")
        print(f"not in the file, new where a training starts: {', '.join(record['fresh']) or 'nothing'}")
    common.note(record["licence"])


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
