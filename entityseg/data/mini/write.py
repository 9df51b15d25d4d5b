"""The mini dataset on disk, in the EntitySeg release's layout, with the words that describe its scenes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.data.coco_write import category_json
from entityseg.data.formats import release
from entityseg.data.formats.semantic import CATEGORIES_NAME, LABEL
from entityseg.data.layout import PARTS
from entityseg.data.low_resolution import low_resolution_size
from entityseg.data.mini.categories import BLUR_ID, CATEGORIES, UNKNOWN_ID
from entityseg.data.mini.scene import LOOKS, N_SCENES, Scene, make_scene
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.data.targets import folder_target
from entityseg.data.threads import Progress, no_progress, thread_count
from entityseg.files import atomic_file, write_bytes, write_json
from entityseg.masks import RunLengths, from_id_map, resize, to_panoptic_png

Half = Literal["train", "val"]
MakeScene = Callable[[int, int], Scene]

# Written last: its presence says that the set is whole.
MARKER = "scenes.json"
SUBSETS = ("01", "02", "03")
_JPEG_QUALITY = 92
_IGNORED = 255
# "unknown" and "blur" are entities, but no class of the class-aware files.
_NO_CLASS = (UNKNOWN_ID, BLUR_ID)
_PNG_LEVEL = 1

_LICENSE = """\
The mini dataset of entityseg: pictures, masks and descriptions are made by a program, show nobody and nothing
real, and are dedicated to the public domain under CC0 1.0 Universal
(https://creativecommons.org/publicdomain/zero/1.0/).

It has the layout of the EntitySeg release and none of its content; EntitySeg's annotations and images carry
their own licences.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scene belongs: its number, subset (`01` to `03`) and half."""

    index: int
    subset: str
    half: Half


@dataclass(frozen=True)
class Written:
    """A scene whose pictures are written: what the annotation files need of it."""

    place: Place
    name: str
    masks: RunLengths
    small_masks: RunLengths
    category_ids: NDArray[np.int64]
    words: dict[str, Any]
    entity_words: tuple[dict[str, Any], ...]


def write_mini(
    out: str | Path,
    *,
    seed: int = 0,
    scenes: int = N_SCENES,
    jobs: int | None = None,
    progress: Progress = no_progress,
    make: MakeScene = make_scene,
) -> None:
    """Write the mini dataset into a folder; equal arguments give equal bytes.

    The folder has the release's layout: `images` and `images_lr` with three subsets, whose folders' names
    carry the counts; entity files (train, val, low resolution, and each subset's own), instance, panoptic and
    semantic files of subset 01; and `scenes.json` with the words that describe every scene and entity.

    Args:
        out: the folder, which must not hold anything yet.
        seed: of everything that is random.
        scenes: how many; a quarter of each subset is for validation.
        jobs: processes; as many as there are processors where not given, 1 works in this one.
        progress: shows how far the scenes are.
        make: makes the scene of (index, seed); it must be importable by name if there are several processes.

    Raises:
        UsageError: the folder is not empty.
        ValueError: fewer than four scenes, of which no subset could be made.
    """
    if scenes < 4:
        raise ValueError(f"a mini dataset has at least 4 scenes, not {scenes}")
    places = share_out(scenes, seed)
    folders = {
        subset: f"entity_{subset}_{sum(place.subset == subset for place in places)}" for subset in SUBSETS
    }
    with folder_target(out, MARKER) as root:
        for tree in ("images", "images_lr"):
            for folder in folders.values():
                (root / tree / folder).mkdir(parents=True)
        for half in ("train", "val"):
            for part in (PARTS[f"panoptic_{half}"], PARTS[f"semantic_{half}"]):
                (root / "annotations" / part.folder / part.maps[0]).mkdir(parents=True)
        work = partial(write_scene, root=root, folders=folders, seed=seed, make=make)
        written = list(progress(_in_processes(work, places, jobs), len(places), "scenes"))
        _write_annotations(root, folders, written, seed)
        write_bytes(root / "LICENSE.txt", _LICENSE.encode())
        write_json(root / MARKER, _scenes_json(written, folders, seed), indent=True)


def share_out(scenes: int, seed: int) -> list[Place]:
    """Return the place of each scene, in order: subsets of a third each, a quarter of each for validation.

    >>> [place.subset + place.half[0] for place in share_out(6, 0)].count("01t")
    1
    """
    order = np.random.default_rng([seed, 9]).permutation(scenes)
    places = []
    for k, subset in enumerate(SUBSETS):
        members = np.sort(order[k :: len(SUBSETS)])
        drawn = np.random.default_rng([seed, 9, k]).permutation(members).tolist()
        # Looks repeat every third scene: each has its turn among those for validation.
        turns = [[m for m in drawn if m % len(LOOKS) == look] for look in range(len(LOOKS))]
        in_turn = [m for turn in zip_longest(*turns) for m in turn if m is not None]
        chosen = in_turn[: max(len(members) // 4, len(members) > 1)]
        places += [Place(int(m), subset, "val" if m in chosen else "train") for m in members]
    return sorted(places, key=lambda place: place.index)


def _in_processes(
    work: Callable[[Place], Written], places: Sequence[Place], jobs: int | None
) -> Iterator[Written]:
    count = min(thread_count(jobs), len(places))
    if count == 1:
        yield from map(work, places)
        return
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(work, places)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def write_scene(place: Place, *, root: Path, folders: dict[str, str], seed: int, make: MakeScene) -> Written:
    """Make one scene and write its pictures (and, in subset 01, its maps)."""
    from PIL import Image

    scene = make(place.index, seed)
    height, width = scene.id_map.shape
    ids, masks = from_id_map(scene.id_map)
    wanted = [entity.id for entity in scene.entities]
    if ids.tolist() != wanted:
        raise ValueError(f"scene {place.index}: the map has the ids {ids.tolist()}, the entities {wanted}")
    category_ids = np.array([entity.category_id for entity in scene.entities], np.int64)

    picture = Image.fromarray(scene.image)
    small_size = low_resolution_size((height, width))
    small = picture.resize(small_size[::-1], Image.Resampling.BILINEAR)
    file_name = f"{folders[place.subset]}/{scene.name}.jpg"
    picture.save(root / "images" / file_name, quality=_JPEG_QUALITY)
    small.save(root / "images_lr" / file_name, quality=_JPEG_QUALITY)
    if place.subset == "01":
        _write_maps(root, place.half, scene, masks, category_ids)
    return Written(
        place, scene.name, masks, resize(masks, small_size), category_ids, scene.description,
        tuple(entity.description for entity in scene.entities),
    )  # fmt: skip


def _write_maps(
    root: Path, half: Half, scene: Scene, masks: RunLengths, category_ids: NDArray[np.int64]
) -> None:
    from PIL import Image

    part, semantic = PARTS[f"panoptic_{half}"], PARTS[f"semantic_{half}"]
    rows = np.flatnonzero(~np.isin(category_ids, _NO_CLASS))
    folder = root / "annotations" / part.folder / part.maps[0]
    to_panoptic_png(folder / release.png_name(scene.name), masks[rows], rows + 1)
    labels = np.full(int(scene.id_map.max()) + 1, _IGNORED, np.uint8)
    numbers = semantic_numbers()
    for row in rows.tolist():
        labels[row + 1] = numbers[int(category_ids[row])]
    path = root / "annotations" / semantic.folder / semantic.maps[0] / f"{scene.name}.png"
    with atomic_file(path) as file:
        Image.fromarray(labels[scene.id_map]).save(file, format="PNG", compress_level=_PNG_LEVEL)


def semantic_numbers() -> dict[int, int]:
    """Return each category's label in semantic maps, from 0, without the two that are no class."""
    classes = [record["id"] for record in CATEGORIES if record["id"] not in _NO_CLASS]
    return {category_id: number for number, category_id in enumerate(classes)}


def categories() -> list[Category]:
    """Return the mini dataset's categories as records."""
    return [
        Category(one["id"], one["name"], one["type"] == "thing", one["supercategory"], {"type": one["type"]})
        for one in CATEGORIES
    ]


def _write_annotations(root: Path, folders: dict[str, str], written: Sequence[Written], seed: int) -> None:
    about = {
        "description": "the mini dataset of entityseg, made by a program",
        "version": "1",
        "seed": seed,
        "license": "CC0-1.0",
    }
    every = categories()
    for half in ("train", "val"):
        of_half = [one for one in written if one.place.half == half]
        combined = sorted(of_half, key=lambda one: (one.place.subset, one.place.index))
        first = [one for one in combined if one.place.subset == "01"]
        for split, small in ((half, False), (f"{half}_lr", True)):
            dataset = _dataset(combined, folders, small=small, info={"info": about}, categories=every)
            release.write(dataset, root, split=split)
        if half == "train":
            for subset in SUBSETS:
                members = [one for one in combined if one.place.subset == subset]
                dataset = _dataset(members, None, small=False, info={"info": about}, categories=every)
                release.write(dataset, root, split=f"train_{subset}")
        dataset = _dataset(first, None, small=False, info={"info": about}, categories=every)
        things = [one for one in every if one.isthing and one.id not in _NO_CLASS]
        release.write(_of_classes(dataset, things), root, split=f"instance_{half}")
        _write_panoptic(dataset, [one for one in every if one.id not in _NO_CLASS], root, half)
        semantic = PARTS[f"semantic_{half}"]
        lines = [f"{one.name}.jpg {one.name}.png\n" for one in first]
        write_bytes(root / "annotations" / semantic.folder / semantic.entityv2, "".join(lines).encode())
    numbers = semantic_numbers()
    records = [{**category_json(one, "type"), LABEL: numbers[one.id]} for one in every if one.id in numbers]
    folder = root / "annotations" / PARTS["semantic_train"].folder
    write_json(folder / CATEGORIES_NAME, {"info": about, "categories": records}, indent=True)


def _dataset(
    members: Sequence[Written],
    folders: dict[str, str] | None,
    *,
    small: bool,
    info: dict[str, Any],
    categories: Sequence[Category],
) -> Dataset:
    """Return the entities of some scenes; file names start with the subset's folder if `folders` are given.

    Ids start anew in every file, as the release's do.
    """
    annotated = []
    first_id = 1
    for image_id, one in enumerate(members, start=1):
        masks = one.small_masks if small else one.masks
        rows = np.flatnonzero(masks.areas > 0)  # Thin entities vanish at low resolution.
        file_name = f"{one.name}.jpg" if folders is None else f"{folders[one.place.subset]}/{one.name}.jpg"
        image = ImageRecord(image_id, file_name, *masks.size)
        # An entity keeps its id from high to low resolution.
        ids = first_id + rows
        first_id += len(masks)
        crowd = np.zeros(len(rows), bool)
        annotated.append(AnnotatedImage(image, masks[rows], ids, one.category_ids[rows], crowd))
    return Dataset.build(annotated, categories, info=info)


def _of_classes(dataset: Dataset, categories: Sequence[Category]) -> Dataset:
    known = [category.id for category in categories]
    return dataset.rebuild((one.select(np.isin(one.category_ids, known)) for one in dataset), categories)


def _write_panoptic(dataset: Dataset, categories: Sequence[Category], root: Path, half: Half) -> None:
    """Write the JSON of a panoptic part, whose maps are there already; segments have the scenes' numbers."""
    part = PARTS[f"panoptic_{half}"]
    numbered = (replace(one, ids=np.arange(1, len(one) + 1)) for one in dataset)
    classes = _of_classes(dataset.rebuild(numbered), categories)
    lines = [[release.panoptic_line(one)] for one in classes]
    file = root / "annotations" / part.folder / part.entityv2
    release.write_panoptic_json(classes, file, lines)


def _scenes_json(written: Sequence[Written], folders: dict[str, str], seed: int) -> dict[str, Any]:
    """Return the words of all scenes; `annotation_id` and `image_id` are those of the combined files."""
    names = {record["id"]: record["name"] for record in CATEGORIES}
    things = {record["id"]: record["type"] == "thing" for record in CATEGORIES}
    scenes = []
    for half in ("train", "val"):
        combined = [one for one in written if one.place.half == half]
        first_id = 1
        for image_id, one in enumerate(
            sorted(combined, key=lambda one: (one.place.subset, one.place.index)), start=1
        ):
            entities = [
                {
                    "annotation_id": first_id + row,
                    "category_id": category_id,
                    "name": names[category_id],
                    "isthing": things[category_id],
                    **one.entity_words[row],
                }
                for row, category_id in enumerate(one.category_ids.tolist())
            ]
            first_id += len(entities)
            scenes.append(
                {
                    "name": one.name,
                    "index": one.place.index,
                    "split": half,
                    "image_id": image_id,
                    "file_name": f"{folders[one.place.subset]}/{one.name}.jpg",
                    "height": one.masks.height,
                    "width": one.masks.width,
                    **one.words,
                    "entities": entities,
                }
            )
    return {"format": "entityseg/scenes@1", "seed": seed, "scenes": scenes}
