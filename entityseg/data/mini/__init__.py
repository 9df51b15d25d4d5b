"""The mini dataset: seeded scenes with perfect masks, for tests, demos and first trials.

`make_scene` makes one scene as arrays; writing them in a dataset's layout is not its business.
"""

from entityseg.data.mini.categories import BLUR_ID, CATEGORIES, UNKNOWN_ID, Category
from entityseg.data.mini.scene import N_SCENES, Scene, SceneEntity, make_scene, scene_size

__all__ = [
    "BLUR_ID",
    "CATEGORIES",
    "N_SCENES",
    "UNKNOWN_ID",
    "Category",
    "Scene",
    "SceneEntity",
    "make_scene",
    "scene_size",
]
