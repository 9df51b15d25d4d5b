"""`python -m entityseg.benchmarks.perf COMMAND`, where the commands are the keys of `_COMMANDS`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Runs one benchmark and prints its table, or its figures as JSON; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        report, text = _COMMANDS[options.command](options)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        extra = "the other libraries are the extra `perf`: pip install -e '.[perf]'"
        print(f"error: {error}; {extra}, or choose what is there (--tools)", file=sys.stderr)
        return 1
    print(json.dumps(report, indent=1) if options.json else text)
    return 0


def _generate(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf.generate import generate

    folders = generate(options.out, options.images, options.replicas, options.seed)
    lines = [
        f"{path}  {path.stat().st_size / 1e6:.1f} MB"
        for folder in folders
        for path in sorted(folder.glob("*.json"))
    ]
    return [str(folder) for folder in folders], "\n".join(lines)


def _ap(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import ap
    from entityseg.benchmarks.perf.peers import TOOLS, require_installed

    unknown = [name for name in options.tools if name not in TOOLS]
    if unknown:
        raise ValueError(f"unknown tool {unknown[0]!r}; there are {', '.join(TOOLS)}")
    require_installed(TOOLS[name].distribution for name in options.tools)
    if not set(options.variants) <= set(ap.VARIANTS):
        raise ValueError(f"the variants are {', '.join(ap.VARIANTS)}")
    report = ap.compare(
        options.data, options.tools, options.variants, options.threads, options.repeat, options.bootstrap
    )
    return report, ap.table(report)


def _startup(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import startup
    from entityseg.benchmarks.perf.peers import require_installed

    require_installed(["vernier"])
    report = startup.compare(options.data, options.repeat)
    return report, startup.table(report)


def _rle(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import rle

    report = rle.compare(tuple(options.tools), options.repeat)
    return report, rle.table(report)


def _panoptic(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import panoptic

    report = panoptic.compare(options.ways, options.images, options.repeat)
    return report, panoptic.table(report)


def _pq(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import pq

    unknown = [name for name in options.tools if name not in pq.TOOLS]
    if unknown:
        raise ValueError(f"unknown tool {unknown[0]!r}; there are {', '.join(pq.TOOLS)}")
    report = pq.compare(options.tools or pq.TOOLS, options.images, options.repeat, options.workers)
    return report, pq.table(report)


def _dichotomous(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import dichotomous

    report = dichotomous.compare(options.images, options.repeat)
    return report, dichotomous.table(report)


def _boundary(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import boundary

    if not set(options.tools) <= set(boundary.TOOLS):
        raise ValueError(f"the tools are {', '.join(boundary.TOOLS)}")
    if not set(options.variants) <= {"over", "non"}:
        raise ValueError("the variants are over, non")
    report = boundary.compare(options.data, options.tools, options.variants, options.repeat)
    return report, boundary.table(report)


def _shapes(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import shapes

    unknown = [name for name in options.tools if name not in shapes.TOOLS]
    if unknown:
        raise ValueError(f"unknown tool {unknown[0]!r}; there are {'; '.join(shapes.TOOLS)}")
    report = shapes.compare(
        options.data, options.tools or tuple(shapes.TOOLS), options.images, options.repeat
    )
    return report, shapes.table(report)


def _inference(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import inference

    report = inference.compare(options.megapixels, options.kinds, options.repeat, options.threads)
    return report, inference.table(report)


def _pixels(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import pixels

    report = pixels.compare(options.problems, options.repeat)
    return report, pixels.table(report)


def _memory(options: argparse.Namespace) -> tuple[Any, str]:
    from entityseg.benchmarks.perf import memory

    few, many = sorted(options.units)
    report = memory.compare(options.families, (few, many), options.resamples)
    return report, memory.table(report)


_COMMANDS = {
    "generate": _generate,
    "ap": _ap,
    "startup": _startup,
    "rle": _rle,
    "panoptic": _panoptic,
    "pq": _pq,
    "dichotomous": _dichotomous,
    "boundary": _boundary,
    "inference": _inference,
    "shapes": _shapes,
    "pixels": _pixels,
    "memory": _memory,
}


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in _names(text)]


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m entityseg.benchmarks.perf",
        description="Speed and memory against other libraries, in the same run (they are the extra `perf`).",
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    commands = parser.add_subparsers(dest="command", required=True)

    make = commands.add_parser("generate", parents=[shared], help="make the files to score")
    make.add_argument("out", type=Path, help="folder; the files go to OUT/60, OUT/600, ...")
    make.add_argument("--images", type=_count, default=60, help="distinct images (default: 60)")
    make.add_argument("--replicas", type=_numbers, default=[10, 40], help="repetitions (default: 10,40)")
    make.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: 0)")

    ap = commands.add_parser("ap", parents=[shared], help="files on disk to all COCO AP figures")
    ap.add_argument("data", type=Path, help="folder with gt.json, dt_over.json, dt_non.json")
    peers = "pycocotools,faster-coco-eval,hotcoco,ultrafast-pycocotools,vernier"
    ap.add_argument("--tools", type=_names, default=_names(f"ours,{peers}"), help=f"default: ours,{peers}")
    ap.add_argument(
        "--variants", type=_names, default=["over", "non"], help="over, non or both (default: over,non)"
    )
    ap.add_argument("--threads", type=_count, default=1, help="processors a tool may use (default: 1)")
    ap.add_argument("--repeat", type=_count, default=3, help="measurements, of which the median (default: 3)")
    ap.add_argument(
        "--bootstrap", type=int, default=0, help="time ours with this many samples too (default: 0)"
    )

    startup = commands.add_parser("startup", parents=[shared], help="whole processes, warm cache")
    startup.add_argument("data", type=Path, help="the 60-image folder")
    startup.add_argument("--repeat", type=_count, default=9, help="runs of each command (default: 9)")

    rle = commands.add_parser("rle", parents=[shared], help="decoding and the IoU matrix of one image")
    rle.add_argument(
        "--tools", type=_names, default=_names("ours,pycocotools,rlemasklib,ultrafast-pycocotools")
    )
    rle.add_argument("--repeat", type=_count, default=25, help="rounds, of which the median (default: 25)")

    panoptic = commands.add_parser("panoptic", parents=[shared], help="panoptic PNG to entity RLE and back")
    panoptic.add_argument(
        "--ways", type=_names, default=["plain loop", "ours"], help="default: plain loop,ours"
    )
    panoptic.add_argument("--images", type=_count, default=4, help="made images (default: 4)")
    panoptic.add_argument("--repeat", type=_count, default=3, help="rounds an image (default: 3)")

    pq = commands.add_parser("pq", parents=[shared], help="panoptic quality from PNG and from RLE")
    pq.add_argument("--tools", type=_names, default=[], help="default: all of them")
    pq.add_argument("--images", type=_count, default=8, help="made image pairs (default: 8)")
    pq.add_argument("--repeat", type=_count, default=3, help="measurements, of which the median (default: 3)")
    pq.add_argument("--workers", type=_count, default=1, help="processes or threads a tool (default: 1)")

    grey = commands.add_parser("dichotomous", parents=[shared], help="measures of grey maps of 5 MP")
    grey.add_argument("--images", type=_count, default=2, help="made maps (default: 2)")
    grey.add_argument("--repeat", type=_count, default=3, help="rounds a map (default: 3)")

    boundary = commands.add_parser("boundary", parents=[shared], help="files on disk to boundary AP")
    boundary.add_argument("data", type=Path, help="folder with gt.json, dt_over.json, dt_non.json")
    boundary.add_argument("--tools", type=_names, default=_names("ours,ours-compat,vernier"))
    boundary.add_argument("--variants", type=_names, default=["over", "non"], help="default: over,non")
    boundary.add_argument(
        "--repeat", type=_count, default=3, help="measurements, of which the median (default: 3)"
    )

    shape = commands.add_parser("shapes", parents=[shared], help="hull area and perimeter of masks")
    shape.add_argument("data", type=Path, help="folder with gt.json")
    shape.add_argument(
        "--tools", type=lambda text: text.split(";"), default=[], help="separated by ';' (default: all)"
    )
    shape.add_argument("--images", type=_count, default=8, help="images to take (default: 8)")
    shape.add_argument(
        "--repeat", type=_count, default=3, help="measurements, of which the median (default: 3)"
    )

    inference = commands.add_parser(
        "inference", parents=[shared], help="mask logits to masks of large images"
    )
    inference.add_argument(
        "--megapixels", type=_numbers, default=[4, 24, 100], help="sizes of the image (default: 4,24,100)"
    )
    inference.add_argument(
        "--kinds", type=_names, default=["entities", "noise"], help="default: entities,noise"
    )
    inference.add_argument("--threads", type=_count, default=1, help="threads a way may use (default: 1)")
    inference.add_argument(
        "--repeat", type=_count, default=3, help="measurements, of which the median (default: 3)"
    )

    pixels = commands.add_parser("pixels", parents=[shared], help="mIoU, cIoU, tube AP, STQ and plain loops")
    pixels.add_argument("--problems", type=_names, default=[], help="default: all of them")
    pixels.add_argument("--repeat", type=_count, default=5, help="rounds, of which the median (default: 5)")

    memory = commands.add_parser("memory", parents=[shared], help="bytes that a unit takes in every metric")
    memory.add_argument("--families", type=_names, default=[], help="default: all of them")
    memory.add_argument("--units", type=_count, nargs=2, default=[2000, 8000], help="default: 2000 8000")
    memory.add_argument("--resamples", type=_count, default=1000, help="of the bootstrap (default: 1000)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
