"""The mini dataset of all tasks on disk: small sets in the real sets' layouts, beside the release's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from entityseg.data.mini.task_scenes import TaskScene, read_scenes
from entityseg.data.mini.write_clips import write_clips
from entityseg.data.mini.write_masks import write_camouflaged, write_dis, write_few_shot, write_ocid
from entityseg.data.mini.write_open import write_ade, write_lvis, write_seginw
from entityseg.data.mini.write_reasoning import write_reasoning
from entityseg.data.mini.write_texts import write_coco, write_narratives, write_referring
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import usage_error
from entityseg.files import atomic_folder, write_json

# The folder beside `images` and `annotations`, and the file in it that says what it holds.
FOLDER, CONTENTS = "tasks", "tasks.json"
# Fewer have no scene for each of the splits val, testA and testB.
LEAST_SCENES = 6
_Write = Callable[[Path, Sequence[TaskScene], int], None]
SETS: dict[str, _Write] = {
    "coco": write_coco,
    "png": write_narratives,
    "refer_seg": write_referring,
    "ReasonSeg": write_reasoning,
    "ADEChallengeData2016": write_ade,
    "seginw": lambda root, scenes, _: write_seginw(root, scenes),
    "lvis": write_lvis,
    "OCID-dataset": lambda root, scenes, _: write_ocid(root, scenes),
    "CAMO++": lambda root, scenes, _: write_camouflaged(root, scenes),
    "FSS-1000/fewshot_data": lambda root, scenes, _: write_few_shot(root, scenes),
    "DIS5K": lambda root, scenes, _: write_dis(root, scenes),
}

# What lies in the folder when it is whole.
SET_FOLDERS = (*(name.partition("/")[0] for name in SETS), "ytvis_2019", "UVO", "VIPSeg")


def write_mini_tasks(
    out: str | Path, *, seed: int = 0, scenes: int | None = None, progress: Progress = no_progress
) -> Path:
    """Add the sets of all tasks to a folder that `write_mini` made; equal arguments give equal bytes.

    All lie in its folder `tasks`, which appears when it is whole: COCO, narratives, referring expressions,
    reasoning questions, an open vocabulary, sets in the wild, thin structures, and clips.

    Args:
        out: the folder with `scenes.json`.
        seed: of what is said and filmed; the scenes keep the seed that they were made with.
        scenes: take only the first of them; all where not given.
        progress: shows how far it is.

    Returns:
        The folder `tasks`.

    Raises:
        UsageError: there is no mini dataset, or its tasks are there already, or it has fewer than six scenes.
    """
    out = Path(out)
    target = out / FOLDER
    if target.exists():
        message = "the sets of tasks are there already"
        raise usage_error("mini.tasks", message, "Remove the folder, or choose another.", file=str(target))
    found = read_scenes(out, scenes=scenes, progress=progress)
    if len(found) < LEAST_SCENES:
        message = f"sets for tasks need at least {LEAST_SCENES} scenes, not {len(found)}"
        raise usage_error("mini.scenes", message, "Make more scenes.", file=str(out), value=len(found))
    # Decoding is the slow part, and the pictures are kept.
    for _ in progress(map_in_order(lambda scene: scene.jpeg, found), len(found), "pictures"):
        pass
    with atomic_folder(target) as root:
        for name, write in progress(SETS.items(), len(SETS), "sets"):
            write(root / name, found, seed)
        write_clips(root, found, seed, progress)
        folders = sorted(path.name for path in root.iterdir())
        write_json(
            root / CONTENTS, {"format": "entityseg/tasks@1", "seed": seed, "sets": folders}, indent=True
        )
    return target
