"""CropFormer (Qi et al., ICCV 2023, section 4): an image and its crops, decoded alone and then together."""

from __future__ import annotations

from entityseg.baselines.models.association import ViewAssociation
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.decoder import MaskDecoder, Memory
from entityseg.baselines.models.output import SegmenterOutput
from entityseg.baselines.models.segmenter import SegmenterModel


class CropFormer(SegmenterModel):
    """Image-level decoder over each view, view association, batch-level decoder over all views of an image."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__(config)
        self.association = ViewAssociation(config)
        self.separate_decoder = None if config.share_decoders else MaskDecoder(config)
        self.post_init()

    @property
    def batch_decoder(self) -> MaskDecoder:
        """The batch-level decoder: the image-level one again, if they share their weights."""
        return self.image_decoder if self.separate_decoder is None else self.separate_decoder

    def _decode(self, memory: Memory, views: int, every_stage: bool) -> SegmenterOutput:
        position = self.query_positions.weight
        count = len(memory.features)
        image, stages = self.image_decoder(self._learned_queries(count), position, memory, every_stage)
        queries = self.association(stages[-1], position, views)
        together = memory.batched(views, self.memory.view_code(views, queries.device))
        batch, _ = self.batch_decoder(queries, position, together, every_stage)
        return SegmenterOutput(image=image, batch=batch)
