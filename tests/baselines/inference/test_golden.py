"""The released code's scores and masks, from its weights and views, in double precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from entityseg.baselines.checkpoints.convert import convert_state
from entityseg.baselines.inference.options import InferenceOptions
from entityseg.baselines.inference.segment import read_masks, read_output, run
from entityseg.baselines.views import ImageViews, View
from entityseg.baselines.views.cutting import stack
from entityseg.masks import to_dense
from tests.baselines.golden import golden_file


def views_of(arrays: dict[str, np.ndarray]) -> ImageViews:
    pixels = arrays["input/views"] if "input/views" in arrays else arrays["input/image"][None]
    height, width = arrays["input/original_size"].tolist()
    crops = arrays["input/crop_regions_xyxy"].tolist() if "input/crop_regions_xyxy" in arrays else []
    regions = [(0, 0, width, height), *map(tuple, crops)]
    size = pixels.shape[2:]
    return ImageViews(
        tuple(one.transpose(1, 2, 0) for one in pixels),
        tuple(View(region, (int(size[0]), int(size[1]))) for region in regions),
        (height, width),
    )


@pytest.mark.parametrize("name", ["cropformer", "mask2former"])
@pytest.mark.parametrize("views_at_once", [None, 2])
def test_scores_and_masks_are_the_released_ones(golden: Path, name: str, views_at_once: int | None) -> None:
    state, arrays = golden_file(golden, name)
    model = convert_state(state, heads=4).model.double()
    views = views_of(arrays)
    options = InferenceOptions(keep_empty=True, views_at_once=views_at_once)
    pixels = stack([views.pixels], dtype=torch.float64)
    found = read_output(run(model, pixels, options), 0, views, tuple(pixels.shape[3:]), options)
    result = read_masks(model, found, options)
    np.testing.assert_allclose(result.scores, arrays["result/scores"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(to_dense(result.masks), arrays["result/masks"])
