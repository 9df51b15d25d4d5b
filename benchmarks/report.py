"""One HTML page of results: figures with intervals, curves, and images sorted by score with their errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from entityseg.benchmarks import identity
from entityseg.benchmarks.compare import comparable, compare
from entityseg.benchmarks.harness.adapter import Adapter, Pictured
from entityseg.benchmarks.harness.families import FAMILIES, adapter
from entityseg.benchmarks.harness.opening import open_truth
from entityseg.benchmarks.results import Result, read_result, result_path
from entityseg.benchmarks.tables import between, difference_rows, published_rows, shown
from entityseg.benchmarks.tasks import get
from entityseg.benchmarks.tasks.record import Task
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import InputError, MissingFileError, usage_error
from entityseg.metrics.matching import Mode
from entityseg.report import plots
from entityseg.report.colours import FALSE, MATCHED, MISSED
from entityseg.report.overlay import draw_triple, fits, load_picture
from entityseg.report.page import Cell, Gallery, Page, Picture, Section, Table, write_page

_SIDE = 900
_LISTED = 200


def write_report(
    out: str | Path,
    results: Sequence[str | Path],
    *,
    data: str | Path | None = None,
    pictures: int = 12,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write the page of one or more results of a task.

    Args:
        out: the HTML file.
        results: result files or run folders; the first one's images are drawn.
        data: the dataset's folder; without it the page has no pictures of images.
        pictures: how many images to draw, the worst first.
        threads: worker threads.
        progress: wraps the images as (iterable, total, label).

    Raises:
        UsageError: the results are not of one task.
        InputError: a result cannot be read, or data or predictions are not those that were scored.
    """
    found = [read_result(path) for path in results]
    if len({one.task for one in found}) > 1:
        message = f"the results are of different tasks: {', '.join(sorted({one.task for one in found}))}"
        raise usage_error("report.tasks", message, "Write one page a task.")
    task = get(found[0].task)
    sections = [_figures(task, found), *_differences(results, found)]
    side, reason = _opened(task, found[0], results[0], data)
    predictions = _predictions(found[0], results[0])
    if side is not None:
        sections += _curves(task, found[0], side, predictions, threads)
    sections += _by_image(task, found)
    if side is not None and pictures:
        sections.append(_drawn(task, found[0], side, predictions, pictures, progress))
    elif pictures:
        sections.append(Section("Images", [f"There are no pictures: {reason}"]))
    sections.append(_identity(found))
    counts = found[0].counts
    facts = [(shown(one.values.get(task.main), plain=task.main in _plain(task)), one.name) for one in found]
    facts.append((f"{counts['expected']:,}", "units expected"))
    lead = f"{task.title}. Ranked by {task.main}; mode {found[0].mode}."
    write_page(out, Page(f"{task.name}", lead, facts, sections, "Made by entityseg bench report."))


def _plain(task: Task) -> tuple[str, ...]:
    return FAMILIES[task.family].plain


def _figures(task: Task, found: Sequence[Result]) -> Section:
    names = list(found[0].values)
    plain = _plain(task)
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
    caption = "In percent, with 95 % bootstrap intervals over images."
    table = Table(["figure", *(one.name for one in found)], rows, caption)
    lines = list(dict.fromkeys(line for one in found for line in one.warnings))[:20]
    if published:
        lines += ["Published:", *("  ".join([row[0], row[1], *row[2:]]) for row in [header, *published])]
    counts = "; ".join(
        f"{one.name}: {one.counts['predicted']:,} of {one.counts['expected']:,} predicted, "
        f"{one.counts['missing']:,} missing, {one.counts['empty']:,} empty"
        for one in found
    )
    return Section("Figures", [*text, counts], table=table, lines=lines)


def _differences(paths: Sequence[str | Path], found: Sequence[Result]) -> Iterator[Section]:
    """Give the difference of each further result from the first, or why there is none."""
    for number, (path, other) in enumerate(zip(paths[1:], found[1:], strict=True), start=2):
        title = f"Result {number} against the first"
        reasons = comparable(found[0], other)
        if reasons.errors:
            yield Section(title, verdict="These two may not be compared.", good=False, lines=reasons.lines())
            continue
        rows = difference_rows(compare(paths[0], path))
        columns = ["figure", found[0].name, other.name, "difference", "95 % interval", "p", "clear"]
        caption = "Paired bootstrap over the same images; * the interval excludes 0."
        yield Section(title, table=Table(columns, rows, caption))


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
    if identity.of_paths([predictions]) != result.identity.predictions:
        raise _other("the predictions are not those of the result", remedy, predictions)
    return adapter(truth), ""


def _other(message: str, remedy: str, file: Path) -> InputError:
    from entityseg.errors import input_error

    return input_error("report.digest", message, remedy, file=str(file))


def _curves(
    task: Task, result: Result, side: Adapter, predictions: Path | None, threads: int | None
) -> Iterator[Section]:
    """Give precision-recall curves, for families that have them."""
    if task.family != "entity" or predictions is None:
        return
    from entityseg.metrics.scoring import evaluate
    from entityseg.predictions import read_predictions

    gt = side.truth.value
    table, _ = evaluate(
        gt,
        read_predictions(predictions, gt),
        mode=cast(Mode, result.mode),
        overlap=result.options["overlap"],
        threads=threads,
    )
    curves = table.curves()
    if curves is None:
        return
    pictures = [
        Picture.of_plot(
            plots.pr_curves(curves), "pr", f"Precision and recall of {result.name}, a curve an IoU threshold.",
            "Precision-recall curves",
        ),
        Picture.of_plot(
            plots.ap_by_iou({result.name: curves}), "iou",
            "AP at each IoU threshold: the sooner it falls, the less exact the borders.", "AP by IoU threshold",
        ),
    ]  # fmt: skip
    yield Section("Curves", galleries=[Gallery(pictures, 2)])


def sorted_images(task: Task, result: Result) -> list[tuple[Any, float]]:
    """Return (image, main figure) of each image that has one, the worst first."""
    main = task.main
    rows = [(one["image_id"], one.get(main)) for one in result.per_image]
    known = [(image, float(value)) for image, value in rows if value is not None]
    sign = -1 if main in FAMILIES[task.family].less_is_better else 1
    return sorted(known, key=lambda pair: (sign * pair[1], str(pair[0])))


def _by_image(task: Task, found: Sequence[Result]) -> Iterator[Section]:
    """Give the curve of all images' figures, and the list of images."""
    series = {f"{k}. {one.name}": [v for _, v in sorted_images(task, one)] for k, one in enumerate(found, 1)}
    series = {name: values for name, values in series.items() if values}
    if not series:
        return
    plot = Picture.of_plot(
        plots.sorted_scores(series, task.main), "images",
        f"{task.main} of each image alone, the worst to the left.", "Sorted figures of the images",
    )  # fmt: skip
    rows = sorted_images(task, found[0])
    others = [dict(sorted_images(task, one)) for one in found[1:]]
    table = Table(
        ["image", *(one.name for one in found)],
        [
            [str(image), shown(value), *(shown(other.get(image)) for other in others)]
            for image, value in rows[:_LISTED]
        ],
        f"{task.main} in percent, the worst first"
        + (f"; the first {_LISTED} of {len(rows):,}." if len(rows) > _LISTED else "."),
    )
    yield Section("By image", galleries=[Gallery([plot], 1)], table=table)


def _drawn(
    task: Task, result: Result, side: Adapter, predictions: Path | None, number: int, progress: Progress
) -> Section:
    """Draw the worst images: ground truth, prediction, errors."""
    chosen = sorted_images(task, result)[:number]
    galleries = []
    if predictions is not None and chosen:
        pictured = side.pictures(predictions, [image for image, _ in chosen])
        for one, (_, value) in zip(progress(pictured, len(chosen), "drawing"), chosen, strict=False):
            galleries.append(_gallery(one, f"{task.main} {shown(value)}"))
    css = [
        (f"rgb{MATCHED}", "found"),
        (f"rgb{MISSED}", "missed"),
        (f"rgb{FALSE}", "predicted, matches nothing (hatched)"),
    ]
    text = "A prediction that found a mask (IoU of at least .5) has that mask's colour. In the pictures of errors:"
    return Section("Images, worst first", [text], key=css, galleries=galleries)


def _gallery(one: Pictured, figure: str) -> Gallery:
    image = None
    if one.image is not None:
        loaded = load_picture(one.image, size=one.size, max_side=_SIDE)
        image = loaded if fits(loaded.size, one.size) else None
    first, second, errors = draw_triple(image, one.gt, one.pred, one.scores, max_side=_SIDE)
    name = one.title
    pictures = [
        Picture.of_image(first, f"Ground truth: {len(one.gt)} masks.", f"Ground truth of {name}", quality=80),
        Picture.of_image(second, f"Prediction: {len(one.pred)} masks.", f"Prediction for {name}", quality=80),
        Picture.of_image(errors, f"Errors; {figure}.", f"Errors in {name}", quality=80),
    ]
    return Gallery(pictures, 3, f"{name} ({figure})")


def _identity(found: Sequence[Result]) -> Section:
    rows = []
    for name in ("ground_truth", "task", "evaluator", "predictions"):
        rows.append([name.replace("_", " "), *(getattr(one.identity, name)[:16] for one in found)])
    tools = sorted({key for one in found for key in one.identity.environment})
    rows += [[key, *(one.identity.environment.get(key, "-") for one in found)] for key in tools]
    text = "First letters of the SHA-256 digests, and the environment. Results are comparable if the first three agree."
    return Section("Identity", [text], table=Table(["", *(one.name for one in found)], rows))
