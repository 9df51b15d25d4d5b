"""Mask2Former (Cheng et al., CVPR 2022): one image, one view."""

from __future__ import annotations

from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.decoder import Memory
from entityseg.baselines.models.output import SegmenterOutput
from entityseg.baselines.models.segmenter import SegmenterModel
from entityseg.errors import input_error


class Mask2Former(SegmenterModel):
    """Finds entities, instances, semantic or panoptic segments in single images."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__(config)
        self.post_init()

    def _decode(self, memory: Memory, views: int, every_stage: bool) -> SegmenterOutput:
        if views != 1:
            message = "Mask2Former looks at one view an image"
            remedy = "Give it [B, 1, 3, H, W], or take a model of several views, such as CropFormer."
            raise input_error("model.views", message, remedy, value=views)
        count = len(memory.features)
        position = self.query_positions.weight
        decoded, _ = self.image_decoder(self._learned_queries(count), position, memory, every_stage)
        return SegmenterOutput(image=decoded, batch=None)
