"""One HTML page of results: figures with intervals, curves, and images sorted by score with their errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from entityseg.benchmarks import identity
from entityseg.benchmarks.compare import comparable, compare
from entityseg.benchmarks.harness.adapter import Adapter, Pictured
from entityseg.benchmarks.harness.families import FAMILIES, adapter
from entityseg.benchmarks.harness.opening import open_truth
from entityseg.benchmarks.harness.scoring import predictions_digest
from entityseg.benchmarks.report_plots import curves, differences, intervals
from entityseg.benchmarks.results import Result, read_result, result_path
from entityseg.benchmarks.tables import between, difference_rows, plain_figures, published_rows, shown
from entityseg.benchmarks.tasks import get
from entityseg.benchmarks.tasks.record import Task
from entityseg.cli.common import counted, table
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import InputError, MissingFileError, usage_error
from entityseg.report import plots
from entityseg.report.colours import FALSE, MATCHED, MISSED
from entityseg.report.overlay import draw_triple, fits, load_picture
from entityseg.report.page import (
    Cell,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    require_page_target,
    write_page,
)

_SIDE = 900
_LISTED = 200


def write_report(
    out: str | Path,
    results: Sequence[str | Path],
    *,
    data: str | Path | None = None,
    pictures: int = 12,
    progress: Progress = no_progress,
) -> None:
    """Write the page of one or more results of a task.

    Args:
        out: the HTML file.
        results: result files or run folders; the first one's images are drawn.
        data: the dataset's folder; without it the page has no pictures of images.
        pictures: how many images to draw, the worst first.
        progress: wraps the images as (iterable, total, label).

    Raises:
        UsageError: the results are not of one task, or `out` is something else than a page.
        InputError: a result cannot be read, or data or predictions are not those that were scored.
    """
    require_page_target(out)
    found = [read_result(path) for path in results]
    if len({one.task for one in found}) > 1:
        message = f"the results are of different tasks: {', '.join(sorted({one.task for one in found}))}"
        raise usage_error("report.tasks", message, "Write one page a task.")
    task = get(found[0].task)
    sections = [_figures(task, found), *_differences(results, found)]
    side, reason = _opened(task, found[0], results[0], data)
    if side is not None:
        sections += _curves(results, found, side)
    sections += _by_image(task, found, side)
    if side is not None and pictures:
        sections.append(_drawn(task, found, side, _predictions(found[0], results[0]), pictures, progress))
    elif pictures:
        sections.append(Section("Images", [f"There are no pictures: {reason}"]))
    sections.append(_identity(found))
    plain = task.main in plain_figures(task.name)
    facts = [(shown(one.values.get(task.main), plain=plain), f"{task.main}, {one.name}") for one in found]
    expected, unit = found[0].counts["expected"], FAMILIES[task.family].unit
    facts.append((f"{expected:,}", unit if expected == 1 else f"{unit}s"))
    lead = f"{task.title}. Ranked by {task.main}; mode {found[0].mode}."
    write_page(out, Page(f"{task.name}", lead, facts, sections, "Made by entityseg bench report."))


def _figures(task: Task, found: Sequence[Result]) -> Section:
    names = list(found[0].values)
    plain = plain_figures(task.name)
    rows: list[list[Cell | str]] = []
    for name in names:
        row: list[Cell | str] = [name]
        for one in found:
            pair = one.intervals.get(name)
            note = between(pair, plain=name in plain) if pair else ""
            row.append(Cell(shown(one.values.get(name), plain=name in plain), note))
        rows.append(row)
    text = list(task.notes)
    if any(one.model.get("oracle") for one in found):
        text.append("An oracle was told the truth; its figures say nothing about any model.")
    header, published = published_rows(task)
    lines = list(dict.fromkeys(line for one in found for line in one.warnings))[:20]
    if published:
        lines += ["Published:", *table(header, published).splitlines()]
    text.append(" ".join(_counts_text(task, one) for one in found))
    fractions = [
        name for name in names if name not in plain and any(one.values.get(name) is not None for one in found)
    ]
    plot = Picture.of_plot(
        intervals(numbered(found), fractions), "figures",
        "Dots are figures, lines their 95 % bootstrap intervals over images.", "Figures with intervals",
    )  # fmt: skip
    columns = ["figure", *(one.name for one in found)]
    as_is = f" ({', '.join(plain)} as it is)" if plain else ""
    caption = f"In percent{as_is}, with 95 % bootstrap intervals over images."
    return Section(
        "Figures",
        text,
        lines=lines,
        table=Table(columns, rows, caption),
        galleries=[Gallery([plot], 1)],
        beside=True,
    )


def _counts_text(task: Task, one: Result) -> str:
    counts, unit = one.counts, FAMILIES[task.family].unit
    missing = f", {counts['missing']:,} missing" if counts["missing"] else ""
    empty = f", {counts['empty']:,} of them empty" if counts["empty"] else ""
    return f"{one.name} predicted {counts['predicted']:,} of {counts['expected']:,} {unit}s{empty}{missing}."


def numbered(found: Sequence[Result]) -> dict[str, Result]:
    """Return results by name; a number tells those apart that are called the same."""
    names = [one.name for one in found]
    return {
        name if names.count(name) == 1 else f"{number}. {name}": one
        for number, (name, one) in enumerate(zip(names, found, strict=True), start=1)
    }


def _differences(paths: Sequence[str | Path], found: Sequence[Result]) -> Iterator[Section]:
    """Give the difference of each further result from the first, or why there is none."""
    for number, (path, other) in enumerate(zip(paths[1:], found[1:], strict=True)):
        title = f"{other.name} against {found[0].name}"
        reasons = comparable(found[0], other)
        if reasons.errors:
            yield Section(title, verdict="These two may not be compared.", good=False, lines=reasons.lines())
            continue
        gaps = compare(paths[0], path)
        rows: list[list[Cell | str]] = [
            [name, a, b, Cell(f"{gap} {clear}".strip(), interval if one.interval else ""), p]
            for (name, a, b, gap, interval, p, clear), one in zip(
                difference_rows(gaps), gaps.differences.values(), strict=True
            )
        ]
        columns = ["figure", found[0].name, other.name, "difference", "p"]
        caption = "Paired bootstrap over the same images; with *, the 95 % interval excludes 0."
        table = Table(columns, rows, caption)
        plain = plain_figures(other.task)
        names = [n for n, one in gaps.differences.items() if n not in plain and one.difference is not None]
        plot = Picture.of_plot(
            differences(gaps, names), f"differences{number}",
            f"How far {other.name} is above {found[0].name}; grey where the interval has 0 in it.", title,
        )  # fmt: skip
        yield Section(title, table=table, galleries=[Gallery([plot], 1)], beside=True)


def _predictions(result: Result, path: str | Path) -> Path | None:
    """Return the predictions of a result, if they are where it says."""
    if result.predictions is None:
        return None
    predictions = result_path(path).parent / result.predictions
    return predictions if predictions.exists() else None


def _opened(
    task: Task, result: Result, path: str | Path, data: str | Path | None
) -> tuple[Adapter | None, str]:
    """Return the harness's side of the task, or None and why images cannot be drawn."""
    predictions = _predictions(result, path)
    if task.family == "sets":
        return None, "a task over several sets has none; make a page of one of its sets."
    if predictions is None:
        return None, "the predictions are not where the result says."
    try:
        truth = open_truth(task, data)
    except MissingFileError:
        if data is not None:
            raise
        return None, "give the dataset's folder (--data)."
    remedy = "Give what was scored, or score again."
    if identity.of_paths(truth.files) != result.identity.ground_truth:
        raise _other("the ground truth is not the one of the result", remedy, truth.root)
    if predictions_digest(task, predictions) != result.identity.predictions:
        raise _other("the predictions are not those of the result", remedy, predictions)
    return adapter(truth), ""


def _other(message: str, remedy: str, file: Path) -> InputError:
    from entityseg.errors import input_error

    return input_error("report.digest", message, remedy, file=str(file))


def _curves(paths: Sequence[str | Path], found: Sequence[Result], side: Adapter) -> Iterator[Section]:
    """Give the curves that the family has, of results whose predictions are those that were scored."""
    series: dict[str, tuple[Result, Path | None]] = {}
    for (who, one), path in zip(numbered(found).items(), paths, strict=True):
        predictions = _predictions(one, path)
        same = (
            predictions is not None
            and one.identity.ground_truth == found[0].identity.ground_truth
            and predictions_digest(side.truth.task, predictions) == one.identity.predictions
        )
        series[who] = (one, predictions if same else None)
    pictures = list(curves(series, side))
    if pictures:
        yield Section("Curves", galleries=[Gallery(pictures, 3 if len(pictures) > 2 else 2)])


def sorted_images(task: Task, result: Result) -> list[tuple[Any, float]]:
    """Return (image, main figure) of each image that has one, the worst first."""
    main = task.main
    rows = [(one["image_id"], one.get(main)) for one in result.per_image]
    known = [(image, float(value)) for image, value in rows if value is not None]
    sign = -1 if main in FAMILIES[task.family].less_is_better else 1
    return sorted(known, key=lambda pair: (sign * pair[1], str(pair[0])))


def _by_image(task: Task, found: Sequence[Result], side: Adapter | None) -> Iterator[Section]:
    """Give the curve of all images' figures, and the list of images."""
    everyone = numbered(found)
    series = {who: [value for _, value in sorted_images(task, one)] for who, one in everyone.items()}
    series = {who: values for who, values in series.items() if values}
    if not series:
        return
    plot = Picture.of_plot(
        plots.sorted_scores(series, task.main), "images",
        f"{task.main} of each image alone, the worst to the left.", "Sorted figures of the images",
    )  # fmt: skip
    rows = sorted_images(task, found[0])
    others = [dict(sorted_images(task, one)) for one in found[1:]]
    plain = task.main in plain_figures(task.name)
    table = Table(
        ["image", *everyone],
        [
            [
                str(image) if side is None else side.label(image),
                shown(value, plain=plain),
                *(shown(other.get(image), plain=plain) for other in others),
            ]
            for image, value in rows[:_LISTED]
        ],
        f"{task.main}{'' if plain else ' in percent'}, the worst first"
        + (f"; the first {_LISTED} of {len(rows):,}." if len(rows) > _LISTED else "."),
    )
    yield Section("By image", galleries=[Gallery([plot], 1)], table=table, beside=True)


def _drawn(
    task: Task,
    found: Sequence[Result],
    side: Adapter,
    predictions: Path | None,
    number: int,
    progress: Progress,
) -> Section:
    """Draw the worst images of the first result: ground truth, prediction, errors."""
    chosen = sorted_images(task, found[0])[:number]
    plain = task.main in plain_figures(task.name)
    others = {who: dict(sorted_images(task, one)) for who, one in list(numbered(found).items())[1:]}
    galleries = []
    if predictions is not None and chosen:
        pictured = side.pictures(predictions, [image for image, _ in chosen])
        for one, (image, value) in zip(progress(pictured, len(chosen), "drawing"), chosen, strict=False):
            figures = [f"{task.main} {shown(value, plain=plain)}"]
            figures += [f"{who} {shown(values.get(image), plain=plain)}" for who, values in others.items()]
            galleries.append(_gallery(one, "; ".join(figures)))
    if not galleries:
        return Section(
            "Images", ["There are no pictures: end to end, phrases need not be those of the truth."]
        )
    css = [
        (f"rgb{MATCHED}", "found"),
        (f"rgb{MISSED}", "missed"),
        (f"rgb{FALSE}", "predicted, matches nothing (hatched)"),
    ]
    text = (
        f"Predictions of {found[0].name}. One that found a mask (IoU of at least .5) has that mask's colour. "
        "In the pictures of errors:"
    )
    return Section("Images, worst first", [text], key=css, galleries=galleries)


def _gallery(one: Pictured, figures: str) -> Gallery:
    image = None
    if one.image is not None:
        loaded = load_picture(one.image, size=one.size, max_side=_SIDE)
        image = loaded if fits(loaded.size, one.size) else None
    first, second, errors = draw_triple(image, one.gt, one.pred, one.scores, max_side=_SIDE)
    name = one.title
    pictures = [
        Picture.of_image(picture, caption, f"{kind} of {name}", quality=80)
        for picture, caption, kind in (
            (first, f"Ground truth: {counted(len(one.gt), 'mask')}", "Ground truth"),
            (second, f"Prediction: {counted(len(one.pred), 'mask')}", "Prediction"),
            (errors, "Errors", "Errors"),
        )
    ]
    return Gallery(pictures, 3, f"{name} ({figures})")


def _identity(found: Sequence[Result]) -> Section:
    rows = []
    for name in ("ground_truth", "task", "evaluator", "predictions"):
        rows.append([name.replace("_", " "), *(getattr(one.identity, name)[:16] for one in found)])
    tools = sorted({key for one in found for key in one.identity.environment})
    rows += [[key, *(one.identity.environment.get(key, "-") for one in found)] for key in tools]
    text = "First letters of the SHA-256 digests, and the environment. Results are comparable if the first three agree."
    return Section("Identity", [text], table=Table(["", *(one.name for one in found)], rows))
