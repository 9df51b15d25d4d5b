"""CropFormer, Mask2Former and their multi-view peers over parts of `transformers`."""

from entityseg.baselines.catalogue import FAMILIES, Family
from entityseg.baselines.models.config import HorNetConfig, SegmenterConfig
from entityseg.baselines.models.cropformer import CropFormer
from entityseg.baselines.models.loading import load_model, model_class, new_model, save_model
from entityseg.baselines.models.mask2former import Mask2Former
from entityseg.baselines.models.output import Decoded, Identities, SegmenterOutput
from entityseg.baselines.models.segmenter import SegmenterModel
from entityseg.baselines.models.tiny import tiny_config
from entityseg.baselines.models.vita import VITA
from entityseg.baselines.models.vmask2former import VMask2Former

__all__ = [
    "FAMILIES",
    "VITA",
    "CropFormer",
    "Decoded",
    "Family",
    "HorNetConfig",
    "Identities",
    "Mask2Former",
    "SegmenterConfig",
    "SegmenterModel",
    "SegmenterOutput",
    "VMask2Former",
    "load_model",
    "model_class",
    "new_model",
    "save_model",
    "tiny_config",
]
