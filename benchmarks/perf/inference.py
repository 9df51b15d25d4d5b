"""From a network's mask logits to disjoint run-length masks of a large image: chunked against the plain formula.

Both get the same made logits of 100 queries in five views (the image and its four corner crops at 800 x 1333), as
CropFormer gives them. The plain formula is the released code's, in torch: every map at full size, one view after the
other. Each measurement is a process of its own; what counts is the memory above its inputs.
"""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks.perf.child import forget_peak, status
from entityseg.benchmarks.perf.timing import markdown

MEGAPIXELS = (4, 24, 100)
QUERIES = 100
# `entities`: 18 regions that fill the image, each found by several queries; `noise`: as weights that were never
# trained give, where no tile can be passed over.
KINDS = ("entities", "noise")
_ENTITIES = 18
_SHORT, _LONG = 800, 1333
# Full-size maps of float32 that the plain formula has at once, measured: the mean, a view, and its sigmoid.
_PLAIN_MAPS = 3.2


def compare(
    megapixels: Sequence[int] = MEGAPIXELS,
    kinds: Sequence[str] = KINDS,
    repeat: int = 3,
    threads: int = 1,
    queries: int = QUERIES,
) -> dict[str, Any]:
    """Measures both ways at each size.

    Where the plain formula does not fit into memory its figures are scaled by pixels from the largest size that does,
    and marked `extrapolated`.

    Args:
        megapixels: Sizes of the image, at 3 : 2.
        kinds: Of logits, from `KINDS`.
        repeat: Measurements, of which the median.
        threads: That a way may use.
        queries: Of the network.

    Returns:
        `threads`, `repeat`, `queries`, and a list of `rows`.

    Raises:
        RuntimeError: If the two ways give different masks.
    """
    rows = []
    for kind in kinds:
        last: dict[str, Any] | None = None
        for size in megapixels:
            ours = _measured("chunked", kind, size, repeat, threads, queries)
            rows.append({"way": "chunked", "kind": kind, "megapixels": size, **ours})
            if _fits(size, queries):
                plain = _measured("plain", kind, size, 1 if size > 4 else repeat, threads, queries)
                if abs(plain["covered"] - ours["covered"]) > 1e-4:
                    raise RuntimeError(
                        f"{kind} at {size} MP: the masks cover {plain['covered']} and {ours['covered']}"
                    )
                last = {"megapixels": size, **plain}
                rows.append({"way": "plain", "kind": kind, **last})
            elif last is not None:
                scale = size / last["megapixels"]
                scaled = {key: last[key] * scale for key in ("seconds", "peak")}
                rows.append(
                    {"way": "plain", "kind": kind, "megapixels": size, **scaled, "extrapolated": True}
                )
    return {"threads": threads, "repeat": repeat, "queries": queries, "rows": rows}


def table(report: dict[str, Any]) -> str:
    """Returns the report as Markdown; `~` marks what was extrapolated."""
    lines = []
    for row in report["rows"]:
        mark = "~" if row.get("extrapolated") else ""
        lines.append(
            [
                row["kind"],
                str(row["megapixels"]),
                row["way"],
                f"{mark}{row['seconds']:.2f}",
                f"{mark}{row['peak']:.0f}",
            ]
        )
    header = ["logits", "MP", "way", "s", "peak MiB above inputs"]
    title = (
        f"{report['queries']} queries, 5 views, {report['threads']} thread(s), median of {report['repeat']}"
    )
    return f"{title}\n\n{markdown(header, lines)}"


def made_logits(kind: str, megapixels: float, queries: int = QUERIES, seed: int = 0) -> Any:
    """Returns the `ViewLogits` of an image of so many million pixels, and the queries' class scores."""
    from entityseg.baselines.inference.fusion import ViewLogits
    from entityseg.baselines.views import View, crop_regions, network_size
    from entityseg.baselines.views.regions import padded_size

    rng = np.random.default_rng(seed)
    height = round(math.sqrt(megapixels * 1e6 / 1.5))
    width = round(1.5 * height)
    regions = [(0, 0, width, height), *crop_regions(height, width)]
    views = [View(r, network_size(r[3] - r[1], r[2] - r[0], _SHORT, _LONG)) for r in regions]
    padded = padded_size([view.size for view in views])
    maps = np.empty((queries, len(views), padded[0] // 4, padded[1] // 4), np.float32)
    if kind == "noise":
        maps[:] = rng.standard_normal(maps.shape, dtype=np.float32)
    else:
        _fill_with_entities(maps, views, (height, width), rng)
    scores = np.sort(rng.random(queries))[::-1]
    return ViewLogits.build(maps, padded, views, (height, width)), scores


def _fill_with_entities(
    maps: NDArray[np.float32], views: Sequence[Any], size: tuple[int, int], rng: np.random.Generator
) -> None:
    centres = rng.uniform(0, 1, (_ENTITIES, 2)) * np.array(size)
    rows, columns = np.mgrid[: maps.shape[2], : maps.shape[3]]
    for index, view in enumerate(views):
        x0, y0, x1, y1 = view.region
        y = y0 + (4 * rows + 2) * (y1 - y0) / view.size[0]
        x = x0 + (4 * columns + 2) * (x1 - x0) / view.size[1]
        distances = np.stack([np.hypot(y - one[0], x - one[1]) for one in centres])
        for query in range(len(maps)):
            mine = query % _ENTITIES
            others = np.delete(distances, mine, axis=0).min(axis=0)
            slope = 40 / min(size)
            logits = (others - distances[mine]) * slope + rng.normal(0, 0.3, others.shape)
            maps[query, index] = np.clip(logits, -8, 8)


def _fits(megapixels: float, queries: int) -> bool:
    import os

    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _PLAIN_MAPS * 4 * queries * megapixels * 1e6 < 0.8 * available


def _measured(way: str, kind: str, size: float, repeat: int, threads: int, queries: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    found = []
    for _ in range(repeat):
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            found.append(pool.submit(_child, way, kind, size, threads, queries).result())
    return {key: statistics.median(one[key] for one in found) for key in found[0]}


def _child(way: str, kind: str, size: float, threads: int, queries: int) -> dict[str, float]:
    """Seconds, MiB above the inputs, and the share of the image that the masks cover."""
    run = _plain if way == "plain" else _chunked
    logits, scores = made_logits("noise", 0.01, 4)
    run(logits, scores, threads)  # Compiles, and imports.
    logits, scores = made_logits(kind, size, queries)
    _give_back()
    base = status("VmRSS")
    forget_peak()
    begin = time.perf_counter()
    areas = run(logits, scores, threads)
    seconds = time.perf_counter() - begin
    covered = float(areas.sum() / (logits.image_size[0] * logits.image_size[1]))
    return {"seconds": seconds, "peak": status("VmHWM") - base, "covered": covered}


def _give_back() -> None:
    """Hands what the allocator keeps for later back to the system, so that its use anew is counted."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _chunked(logits: Any, scores: NDArray[np.float64], threads: int) -> NDArray[np.int64]:
    from entityseg.baselines.inference.options import InferenceOptions
    from entityseg.baselines.inference.reading import Found, disjoint_masks

    classes = np.stack([scores, 1 - scores], axis=1)
    areas: NDArray[np.int64] = disjoint_masks(
        Found(classes, logits, fused=True), InferenceOptions(threads=threads)
    ).masks.areas
    return areas


def _plain(logits: Any, scores: NDArray[np.float64], threads: int) -> NDArray[np.int64]:
    import torch
    from torch.nn import functional

    from entityseg.masks import from_id_map

    torch.set_num_threads(threads)
    size = logits.image_size
    options: dict[str, Any] = {"mode": "bilinear", "align_corners": False}
    with torch.no_grad():
        total = torch.zeros((logits.queries, *size))
        count = torch.zeros(size)
        for maps, padded, view in zip(logits.maps, logits.padded, logits.views, strict=True):
            x0, y0, x1, y1 = view.region
            inner = functional.interpolate(torch.from_numpy(maps)[None], size=padded, **options)
            inner = inner[..., : view.size[0], : view.size[1]]
            outer = functional.interpolate(inner, size=(y1 - y0, x1 - x0), **options)[0]
            total[:, y0:y1, x0:x1] += outer.sigmoid()
            count[y0:y1, x0:x1] += 1
            del inner, outer
        total /= count
        owner = torch.zeros(size, dtype=torch.int16)
        order = np.argsort(-scores, kind="stable")
        for place in range(len(order) - 1, -1, -1):
            owner[total[order[place]] > 0.5] = place + 1
        for place, query in enumerate(order):
            mask = owner == place + 1
            factor = (total[query].sigmoid() * mask).sum() / (mask.sum() + 1e-6)
            scores[query] *= float(factor)
    areas: NDArray[np.int64] = from_id_map(owner.numpy())[1].areas
    return areas
