"""V-Mask2Former (Cheng et al., Mask2Former for video, 2021) over views: a peer of CropFormer in ESG's Table VI."""

from __future__ import annotations

from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.decoder import Memory
from entityseg.baselines.models.output import SegmenterOutput
from entityseg.baselines.models.segmenter import SegmenterModel


class VMask2Former(SegmenterModel):
    """Mask2Former whose learned queries look at all views of an image at once, as if they were frames of a video."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__(config)
        self.post_init()

    def _decode(self, memory: Memory, views: int, every_stage: bool) -> SegmenterOutput:
        together = memory.batched(views, self.memory.view_code(views, memory.features.device))
        queries = self._learned_queries(len(together.features))
        decoded, _ = self.image_decoder(queries, self.query_positions.weight, together, every_stage)
        return SegmenterOutput(image=None, batch=decoded)
