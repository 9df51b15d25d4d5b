"""The model families of this package, what supports them, and how far their numbers have been checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Support = Literal["trainable", "inference", "scores-only"]
Parity = Literal["verified-vs-original", "from-paper", "none"]

LICENCE_NOTE = (
    "The weights that the authors of CropFormer released are licensed CC BY-NC 4.0 (not for commercial use); a "
    "converted file keeps the licence of its source."
)


@dataclass(frozen=True)
class Family:
    """One kind of model.

    Attributes:
        name: as on the command line and in recipes.
        architecture: name of its class in `entityseg.baselines.models`, and in `config.json`.
        title: what it is, in a line.
        source: paper and section.
        several_views: whether it looks at crops beside the whole image.
        support: `trainable` models have recipes, `inference` ones load weights, `scores-only` have a row in tables.
        parity: whether its numbers have been held against the authors' code, or it was only built from the paper.
        convertible: whether `models convert` reads released files of it.
        notes: what a reader of its scores should know.
    """

    name: str
    architecture: str
    title: str
    source: str
    several_views: bool
    support: Support
    parity: Parity
    convertible: bool
    notes: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry as a JSON object."""
        return asdict(self)


_ALL = (
    Family(
        "mask2former",
        "Mask2Former",
        "one view; entity, instance, semantic or panoptic",
        "Cheng et al., CVPR 2022",
        False,
        "trainable",
        "verified-vs-original",
        True,
        "Checked in float64 with a small Swin; HorNet's features in float32.",
    ),
    Family(
        "cropformer",
        "CropFormer",
        "an image and its crops, associated",
        "Qi et al., ICCV 2023, section 4",
        True,
        "trainable",
        "verified-vs-original",
        True,
        "Released decoders share their weights; docs/models.md lists where paper and release differ.",
    ),
    Family(
        "vmask2former",
        "VMask2Former",
        "Mask2Former for video, views as frames",
        "Cheng et al., arXiv 2112.10764",
        True,
        "trainable",
        "from-paper",
        False,
        "Its decoder is CropFormer's batch-level one, which is checked, started from learned queries.",
    ),
    Family(
        "vita",
        "VITA",
        "object tokens of the views, associated",
        "Heo et al., NeurIPS 2022",
        True,
        "trainable",
        "from-paper",
        False,
        "Similarity loss and windows as in the paper; docs/models.md lists what differs.",
    ),
)

FAMILIES: dict[str, Family] = {family.name: family for family in _ALL}


def family_of(architecture: str) -> Family | None:
    """Return the family whose class has this name.

    >>> family_of("CropFormer").name
    'cropformer'
    """
    return next((family for family in _ALL if family.architecture == architecture), None)
