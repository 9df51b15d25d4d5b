"""What the four models share: pixels, memory, queries, one image-level decoder, and how all of it is initialised."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.decoder import MaskDecoder, Memory, MemoryMaker
from entityseg.baselines.models.output import SegmenterOutput
from entityseg.baselines.models.pixels import STRIDE, PixelEncoder, reset_pixel_decoder
from entityseg.errors import input_error

_LEVELS = 3


class SegmenterModel(PreTrainedModel, ABC):  # type: ignore[misc]
    """Base of the four models; `forward` takes B images in T views each, view 0 the whole image.

    `from_pretrained` and `save_pretrained` read and write a folder with `config.json` and `model.safetensors`.
    """

    config_class = SegmenterConfig
    config: SegmenterConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    supports_gradient_checkpointing = False
    _supports_sdpa = True

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__(config)
        self.pixels = PixelEncoder(config)
        self.memory = MemoryMaker(config, _LEVELS)
        self.query_features = nn.Embedding(config.queries, config.hidden_size)
        self.query_positions = nn.Embedding(config.queries, config.hidden_size)
        self.image_decoder = MaskDecoder(config)

    def forward(
        self, pixel_values: Tensor, *, every_stage: bool | None = None, views_at_once: int | None = None
    ) -> SegmenterOutput:
        """Return what the model predicts.

        Args:
            pixel_values: float [B, T, 3, H, W], normalised, padded right and below with zeros to multiples of 32.
            every_stage: keep the output of each stage, for deep supervision; None: while training.
            views_at_once: how many of the B * T views pass backbone and pixel decoder together, where memory is short;
                None: all.

        Raises:
            InputError: pixels of another shape, or more views than the model takes.
        """
        if (
            pixel_values.ndim != 5
            or pixel_values.shape[2] != 3
            or any(n % STRIDE for n in pixel_values.shape[3:])
            or not pixel_values.numel()
        ):
            message = f"pixels must be [B, T, 3, H, W], none of them 0, with H and W multiples of {STRIDE}"
            remedy = "Let the model's ViewProcessor make them."
            raise input_error("model.pixels", message, remedy, value=tuple(pixel_values.shape))
        views = pixel_values.shape[1]
        flat = pixel_values.flatten(0, 1)
        parts = [self.pixels(part) for part in torch.split(flat, views_at_once or len(flat))]
        if len(parts) == 1:
            maps, features = parts[0]
        else:
            maps = tuple(torch.cat(level) for level in zip(*(part[0] for part in parts), strict=True))
            features = torch.cat([part[1] for part in parts])
        memory = self.memory(maps, features)
        return self._decode(memory, views, self.training if every_stage is None else every_stage)

    @abstractmethod
    def _decode(self, memory: Memory, views: int, every_stage: bool) -> SegmenterOutput:
        """Return the prediction from the memory of all views."""

    def _learned_queries(self, count: int) -> Tensor:
        """Return the queries as they enter, float [count, Q, size]."""
        return self.query_features.weight.expand(count, -1, -1)

    @classmethod
    def is_custom_code(cls) -> bool:
        """Return False: the library then asks modules without weights of their own, too, how to initialise."""
        return False

    def _init_weights(self, module: nn.Module) -> None:
        # Children come first, so that a module may overrule what its layers did on their own.
        if reset_pixel_decoder(module):
            return
        reset: Any = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()
