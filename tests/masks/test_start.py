"""What `import entityseg.masks` may load, and what it gives."""

from __future__ import annotations

import subprocess
import sys

import entityseg.masks


def test_the_import_is_light() -> None:
    code = "import sys, entityseg.masks; print(*sys.modules)"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        ).stdout.split()
    )
    heavy = {
        "PIL",
        "rlemasklib",
        "skimage",
        "pandas",
        "pyarrow",
        "matplotlib",
        "shapely",
        "pycocotools",
        "torch",
    }
    assert not heavy & loaded
    # Kernels take milliseconds to load, so each waits for the function that needs it.
    kernels = {"_maps", "_paint", "_disjoint", "_resize", "_contours", "_rlemasklib"}
    assert not {f"entityseg.masks.{name}" for name in kernels} & loaded


def test_all_public_names_are_there_and_documented() -> None:
    assert sorted(set(entityseg.masks.__all__)) == sorted(entityseg.masks.__all__)
    for name in entityseg.masks.__all__:
        value = getattr(entityseg.masks, name)
        assert not callable(value) or value.__doc__
