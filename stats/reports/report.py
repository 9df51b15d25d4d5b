"""One page from the statistics of one or more sets: Table I beside the published rows, figures, examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import entityseg
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import usage_error
from entityseg.report.page import Gallery, Page, Picture, Section, write_page
from entityseg.stats.dataset.overview import table1_row
from entityseg.stats.dataset.schema import STATISTICS, Statistics
from entityseg.stats.reports.examples import (
    Example,
    choices_of,
    choose_examples,
    draw_examples,
    open_measured,
)
from entityseg.stats.reports.figures import plot
from entityseg.stats.reports.reading import read_shown
from entityseg.stats.reports.tables import (
    classes_section,
    cooccurrence_section,
    counted_table,
    duplicates_section,
    large_images_table,
    shape_table,
    sources_table,
    table1,
)

# Distribution -> caption.
_FIGURES = {
    "resolution": "Figure 3a: image sizes, as the root of the number of pixels.",
    "entities_per_image": "Figure 3b: entities in an image.",
    "relative_size": "Relative size: the area of an entity as a share of its image (logarithmic).",
    "coverage": "Valid area: the share of an image that is annotated.",
}
_SHAPES = {
    "convexity": "Convexity, the papers' Entity Complexity: 1 is convex, lower is more complex.",
    "simplicity": "Simplicity: 1 is a disc, lower is longer in outline.",
    "thinness": "Thinness: the share of an entity's pixels within 3 px of its boundary.",
}
_STUFF = {
    "annotated": "stuff as annotated",
    "joined": "all stuff of a category in an image as one entity",
    "parts": "each part of stuff as an entity",
}
_CROWD = {
    "covers": "crowd regions in the valid area only",
    "ignored": "no crowd regions",
    "entity": "crowd regions as entities",
}
_DENSITIES = {
    "density": "How much of each place the entities cover.",
    "density_entities": "How many entities reach each place.",
    "density_centroids": "Where the centroids of the entities lie.",
}
_CLASSES = {
    "class_frequency": "Classes by entities, the most frequent first: a straight line is Zipf's law.",
    "class_pixels": "Classes by pixels.",
}


@dataclass(frozen=True)
class Report:
    """What a report showed.

    Attributes:
        page: the file.
        sets: statistics by the names that the page uses.
        examples: most and least complex entities by the same names.
        without_pictures: sets whose data are no longer where they were.
    """

    page: Path
    sets: Mapping[str, Statistics]
    examples: Mapping[str, tuple[Sequence[Example], Sequence[Example]]]
    without_pictures: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return one JSON object."""
        return {
            "page": str(self.page),
            "sets": [
                {"name": name, "digest": one.identity.digest, "table1": table1_row(one)}
                for name, one in self.sets.items()
            ],
            "examples": {
                name: {
                    "most_complex": [vars(one) for one in most],
                    "least_complex": [vars(one) for one in least],
                }
                for name, (most, least) in self.examples.items()
            },
            "without_pictures": list(self.without_pictures),
        }


def write_report(
    folders: Sequence[str | Path],
    out: str | Path,
    *,
    names: Sequence[str] | None = None,
    examples: int = 6,
    progress: Progress = no_progress,
) -> Report:
    """Write the page about one or more folders of `compute`.

    Args:
        folders: one a set.
        out: the page to write.
        names: what to call the sets; their own names where not given, numbered where these repeat.
        examples: entities to show at both ends of complexity, for each set.
        progress: shows how far the pictures are.

    Raises:
        UsageError: no folder, or not as many different names as folders.
        InputError: a folder's files are not in order.
    """
    # Whoever names the file of a folder means the folder.
    folders = [Path(one).parent if Path(one).name == STATISTICS else Path(one) for one in folders]
    sets = _named([read_shown(folder) for folder in folders], names)
    chosen = {name: choose_examples(folder, examples) for name, folder in zip(sets, folders, strict=True)}
    galleries, missing = _examples(sets, chosen, progress)
    facts = []
    for name, one in list(sets.items())[:3]:
        facts += [
            (f"{one.identity.images:,}", f"images: {name}"),
            (f"{_entities(one):,}", f"entities: {name}"),
        ]
    page = Page(
        title="Statistics of " + _listed(list(sets)),
        lead="Table I and Figure 3 of the papers, recomputed, and what else the masks say. Intervals are 95 % "
        "bootstrap intervals over images.",
        facts=facts,
        sections=[
            section
            for section in (
                table1(sets),
                Section("Sizes and numbers", galleries=[_gallery(_FIGURES, sets, 2)], table=large_images_table(sets)),
                Section("Shapes", _shape_text(sets), table=shape_table(sets), galleries=[_gallery(_SHAPES, sets, 3)]),
                _example_section(galleries, missing),
                classes_section(sets, _gallery(_CLASSES, sets, 2)),
                cooccurrence_section(sets),
                Section("Where entities lie", galleries=[_gallery(_DENSITIES, sets, 1)]),
                Section("Sources", ["Figure 3c: where the images were collected."], table=sources_table(sets)),
                duplicates_section(sets),
                Section(
                    "Violations", ["Masks of an image should not overlap, and should cover it."],
                    table=counted_table(sets, "violations", "violation"),
                ),
                Section(
                    "Left out of means", ["What a figure is not defined for is left out of its mean, and counted."],
                    table=counted_table(sets, "exclusions", "what"),
                ),
            )
            if section.table or section.verdict or any(gallery.pictures for gallery in section.galleries)
        ],
        footer=f"Made by entityseg {entityseg.__version__}. " + " ".join(_made_of(sets)),
    )  # fmt: skip
    write_page(out, page)
    return Report(Path(out), sets, chosen, missing)


def _named(found: Sequence[Statistics], names: Sequence[str] | None) -> dict[str, Statistics]:
    if not found:
        raise usage_error(
            "report.empty", "no folder was given", "Give one or more folders of `stats compute`."
        )
    if names is None:
        own = [one.identity.name for one in found]
        names = own if len(set(own)) == len(own) else [f"{name} ({k + 1})" for k, name in enumerate(own)]
    if len(names) != len(found) or len(set(names)) != len(names):
        message = f"{len(found)} folders need as many different names, not {list(names)}"
        raise usage_error("report.names", message, "Give one name a folder.")
    return dict(zip(names, found, strict=True))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _entities(one: Statistics) -> int:
    (record,) = (
        row
        for row in one.tables["table1"].records()
        if (row["figure"], row["average"]) == ("convexity", "entities")
    )
    return int(record["count"] or 0) + int(record["excluded"] or 0)


def _gallery(captions: Mapping[str, str], sets: Mapping[str, Statistics], columns: Any) -> Gallery:
    pictures = []
    for name, caption in captions.items():
        figure = plot(name, sets)
        if figure is not None:
            pictures.append(Picture.of_plot(figure, name.replace("_", "-"), caption, caption))
    return Gallery(pictures, columns)


def _shape_text(sets: Mapping[str, Statistics]) -> list[str]:
    choices = {name: _choice(one) for name, one in sets.items()}
    if len(set(choices.values())) == 1:
        text = [f"Measured with {next(iter(choices.values()))}."]
    else:
        text = [f"{name}: measured with {choice}." for name, choice in choices.items()]
    return text + [line for name, one in sets.items() for line in _not_drawn(name, one)]


def _choice(one: Statistics) -> str:
    made = one.identity.choices
    holes = "with" if made.get("holes") else "without"
    parts = "a mask as a whole" if made.get("parts") == "whole" else "each part of a mask for itself"
    shape = f"{made.get('perimeter')} perimeters {holes} holes, hulls of pixel {made.get('hull')}, {parts}"
    chosen = choices_of(one.identity)
    return f"{shape}; {_STUFF[chosen.stuff]}, {_CROWD[chosen.crowd]}"


def _not_drawn(name: str, one: Statistics) -> list[str]:
    """Say how many values of the shape figures lie beyond the ends of their histograms."""
    found = []
    for figure in _SHAPES:
        drawn = one.distributions.get(figure)
        if drawn is not None and any(drawn.outside):
            outside = sum(drawn.outside)
            ends = f"{drawn.x[0]:g} to {drawn.x[-1]:g}"
            found.append(
                f"{name}: {outside:,} of {sum(drawn.y) + outside:,} values of the {figure} lie outside of {ends}, "
                "and are not in the figure."
            )
    return found


def _examples(
    sets: Mapping[str, Statistics],
    chosen: Mapping[str, tuple[Sequence[Example], Sequence[Example]]],
    progress: Progress,
) -> tuple[list[Gallery], list[str]]:
    galleries, missing = [], []
    for name in progress(list(sets), len(sets), "drawing"):
        identity = sets[name].identity
        dataset = open_measured(identity)
        if dataset is None:
            missing.append(name)
            continue
        for what, examples in zip(("most complex", "least complex"), chosen[name], strict=True):
            drawings = draw_examples(dataset, examples, choices_of(identity))
            pictures = [
                Picture.of_image(drawn, _caption(one), f"An entity of {one.file_name}")
                for one, drawn in zip(examples, drawings, strict=True)
            ]
            if pictures:
                galleries.append(Gallery(pictures, 3, f"{name}: {what}"))
    return galleries, missing


def _caption(one: Example) -> str:
    return f"convexity {one.convexity:.2f}, simplicity {one.simplicity:.2f}: {Path(one.file_name).name}"


def _example_section(galleries: Sequence[Gallery], missing: Sequence[str]) -> Section:
    text = [
        "Entities with the lowest and with the highest convexity, of those at least 32 pixels wide and high."
    ]
    verdict = ""
    if missing:
        verdict = f"No pictures of {_listed(list(missing))}: the data are not where they were measured."
    return Section("Most and least complex entities", text, verdict, good=False, galleries=galleries)


def _made_of(sets: Mapping[str, Statistics]) -> list[str]:
    return [f"{name}: SHA-256 {one.identity.digest[:12]}…." for name, one in sets.items()]
