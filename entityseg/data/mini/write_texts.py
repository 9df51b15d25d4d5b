"""The sets with texts on disk: COCO, narratives (PNG), RefCOCO and its kin."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.mini import captions, expressions
from entityseg.data.mini.coco_shapes import annotation, as_runs, put
from entityseg.data.mini.partitions import ABOUT, Segment, coco_categories, partition, write_panoptic
from entityseg.data.mini.phrases import Item, Query, text
from entityseg.data.mini.task_scenes import TaskScene, image_record
from entityseg.files import write_bytes, write_json

_HALVES = (("train", "train2017"), ("val", "val2017"))
_ALIVE = ("person", "child", "dog", "cow", "bird", "animal_ot")
_REFS, _SENTENCES = 6, 3


def _stem(scene: TaskScene) -> str:
    return f"{scene.image_id:012d}"


def write_coco(root: Path, scenes: Sequence[TaskScene], seed: int) -> None:
    """Write `coco/`: instances, panoptic segments and pictures of both halves, as COCO 2017."""
    annotations = root / "annotations"
    for half, split in _HALVES:
        of_half = [(scene, partition(scene, seed)) for scene in scenes if scene.half == half]
        for scene, _ in of_half:
            put(root / split / f"{_stem(scene)}.jpg", scene.jpeg)
        write_panoptic(
            annotations / f"panoptic_{split}.json", annotations / f"panoptic_{split}", of_half,
            coco_categories(), name=_stem,
        )  # fmt: skip
        records: list[dict[str, Any]] = []
        for scene, segments in of_half:
            for one in segments:
                if one.isthing:
                    shape = as_runs(one.mask) if one.crowd else scene.shapes[scene.row[one.numbers[0]]]
                    number = len(records) + 1
                    records.append(
                        annotation(number, scene.image_id, one.category_id, shape, crowd=one.crowd)
                    )
        top = {
            "info": ABOUT,
            "images": [image_record(scene, f"{_stem(scene)}.jpg") for scene, _ in of_half],
            "annotations": records,
            "categories": [one for one in coco_categories() if one["isthing"]],
        }
        write_json(annotations / f"instances_{split}.json", top)


def write_narratives(root: Path, scenes: Sequence[TaskScene], seed: int) -> None:
    """Write `png/`: narratives whose phrases name panoptic segments, as Panoptic Narrative Grounding."""
    annotations = root / "annotations"
    for half, split in _HALVES:
        of_half = [(scene, partition(scene, seed)) for scene in scenes if scene.half == half]
        for scene, _ in of_half:
            put(root / "images" / split / f"{_stem(scene)}.jpg", scene.jpeg)
        write_panoptic(
            annotations / f"panoptic_{split}.json", annotations / "panoptic_segmentation" / split, of_half,
            coco_categories(), name=_stem,
        )  # fmt: skip
        narratives = []
        # Two narratives a picture for validation: their pictures repeat in the real files too.
        for k in range(1 if half == "train" else 2):
            for scene, segments in of_half:
                rng = np.random.default_rng([seed, 21, scene.index, k])
                told = captions.narrate(scene.items, scene.title, rng)
                narratives.append(_narrative(scene, segments, told))
        write_json(annotations / f"png_coco_{split}.json", narratives)


def _narrative(
    scene: TaskScene, segments: Sequence[Segment], told: Sequence[captions.Utterance]
) -> dict[str, Any]:
    ids = {number: segment.id for segment in segments for number in segment.numbers}
    records = [
        {
            "utterance": one.words,
            "segment_ids": [str(k) for k in dict.fromkeys(ids[n] for n in one.numbers)],
            "noun": one.noun,
            "plural": one.plural,
        }
        for one in told
    ]
    # Strings, as the real files have them.
    return {"image_id": str(scene.image_id), "caption": captions.caption(told), "segments": records}


def referring_splits(scenes: Sequence[TaskScene]) -> dict[int, str]:
    """Return the split of each scene by its number: train, val, testA (the most living beings) or testB."""
    chosen = [scene for scene in scenes if scene.half == "val"]
    alive = {s.index: sum(item.category in _ALIVE for item in s.items) for s in chosen}
    ranked = sorted(chosen, key=lambda scene: (-alive[scene.index], scene.index))
    first = max(1, len(ranked) // 3)
    split = {scene.index: "train" for scene in scenes}
    split |= {scene.index: "testA" for scene in ranked[:first]}
    split |= {scene.index: ("val", "testB")[k % 2] for k, scene in enumerate(ranked[first:])}
    return split


def write_referring(root: Path, scenes: Sequence[TaskScene], seed: int) -> None:
    """Write `refer_seg/`: RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO, with the pictures that they share."""
    for scene in scenes:
        name = f"COCO_train2014_{_stem(scene)}.jpg"
        put(root / "images" / "mscoco" / "images" / "train2014" / name, scene.jpeg)
    first = {}
    number = 1
    for scene in scenes:
        first[scene.index] = number
        number += len(scene.items)
    splits = referring_splits(scenes)
    # Only things are referred to, and RefCOCO's file has nothing else.
    categories = [
        {key: one[key] for key in ("id", "name", "supercategory")}
        for one in coco_categories()
        if one["isthing"]
    ]
    known = {one["id"] for one in categories}
    instances = {
        "info": ABOUT,
        "images": [image_record(scene, f"COCO_train2014_{_stem(scene)}.jpg") for scene in scenes],
        "annotations": [
            annotation(first[scene.index] + row, scene.image_id, item.category_id, shape)
            for scene in scenes
            for row, (item, shape) in enumerate(zip(scene.items, scene.shapes, strict=True))
            if item.category_id in known
        ],
        "categories": categories,
    }

    kinds = {"refcoco": "unc", "refcoco+": "unc", "refcocog": "umd"}
    refs: dict[str, list[dict[str, Any]]] = {name: [] for name in (*kinds, "grefcoco")}
    sentences = dict.fromkeys(refs, 0)

    def add(name: str, scene: TaskScene, split: str, texts: Sequence[str], ann: Any, category: Any) -> None:
        begin = sentences[name]
        sentences[name] += len(texts)
        ending = "" if isinstance(ann, list) else f"_{ann}"
        refs[name].append(
            {
                "ref_id": len(refs[name]),
                "ann_id": ann,
                "category_id": category,
                "image_id": scene.image_id,
                "file_name": f"COCO_train2014_{_stem(scene)}{ending}.jpg",
                "split": split,
                "sent_ids": list(range(begin, begin + len(texts))),
                "sentences": [
                    {
                        "sent_id": begin + k,
                        "sent": words.lower(),
                        "raw": words,
                        "tokens": words.lower().split(),
                    }
                    for k, words in enumerate(texts)
                ],
            }
        )

    names = sorted({item.category for scene in scenes for item in scene.items})
    for scene in scenes:
        rng = np.random.default_rng([seed, 22, scene.index])
        base, split = first[scene.index], splits[scene.index]
        told = _referred(scene, rng)
        for name in kinds:
            short = "test" if name == "refcocog" and split.startswith("test") else split
            for item, queries in [(item, found[name]) for item, found in told if found[name]][:_REFS]:
                texts = [
                    text(query, "a" if name == "refcocog" and k else "the") for k, query in enumerate(queries)
                ]
                add(name, scene, short, texts, base + scene.row[item.number], item.category_id)
        for item, found in [one for one in told if one[1]["refcoco"]][:2]:
            texts = [text(query) for query in found["refcoco"][:1]]
            add("grefcoco", scene, split, texts, [base + scene.row[item.number]], [item.category_id])
        things = {item.number for item in scene.items if item.category_id in known}
        several = [one for one in expressions.groups(scene.items) if set(one.numbers) <= things]
        for k in rng.permutation(len(several)).tolist()[:3]:
            rows = [scene.row[number] for number in several[k].numbers]
            kinds_of = [scene.items[row].category_id for row in rows]
            add("grefcoco", scene, split, [several[k].text], [base + row for row in rows], kinds_of)
        absent = expressions.nothing(scene.items, names)
        for k in rng.permutation(len(absent)).tolist()[:2]:
            add("grefcoco", scene, split, [absent[k].text], [-1], [-1])

    for name, split_by in kinds.items():
        write_json(root / name / "instances.json", instances)
        # Through JSON and back, so that no object is shared and the bytes depend on the content only.
        plain = json.loads(json.dumps(refs[name]))
        write_bytes(root / name / f"refs({split_by}).p", pickle.dumps(plain, protocol=2))
    write_json(root / "grefcoco" / "instances.json", instances)
    write_json(root / "grefcoco" / "grefs(unc).json", refs["grefcoco"])


def _referred(scene: TaskScene, rng: np.random.Generator) -> list[tuple[Item, dict[str, list[Query]]]]:
    """Some things of a scene with the sentences that each of the three sets has about them."""
    candidates = [item for item in expressions.targets(scene.items) if item.isthing]
    out = []
    for k in rng.permutation(len(candidates)).tolist()[: 3 * _REFS]:
        item = candidates[k]
        looks, places = (f(item, scene.items) for f in (expressions.by_attribute, expressions.by_place))
        both = expressions.by_both(item, scene.items)
        found = {
            "refcoco": expressions.choose([*places, *looks], _SENTENCES, rng),
            "refcoco+": expressions.choose(looks, _SENTENCES, rng),
            "refcocog": both[:2],
        }
        if any(found.values()):
            out.append((item, found))
    return out
