"""The similarity loss of VITA: queries of one entity are to be alike, in whichever view (Heo et al., NeurIPS 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from entityseg.baselines.training.matching import Match

if TYPE_CHECKING:
    from entityseg.baselines.models import Identities


def similarity_loss(
    identities: Identities,
    present: Sequence[Sequence[Tensor]],
    in_views: Sequence[Sequence[Match]],
    in_images: Sequence[Sequence[Match]],
) -> Tensor:
    """Return the cross-entropy of "these two queries are of one entity", whose logit is their product.

    Compared are the queries that answer for an entity, those of the views and those of the batch-level decoder alike,
    each with all of the same image and run, itself too. The loss is the mean over the pairs of all images and runs, as
    in the released code; 0 if there are none.

    Args:
        identities: embeddings of R runs, B images and T views.
        present: for each image and view the indices of its entities, int64 [n].
        in_views: for each run, the matches of the B * T views; row b * T + t is view t of image b.
        in_images: for each run, the matches of the B images.
    """
    # As the other losses: half precision is too coarse for sums over channels.
    views, images = (
        one if one.dtype == torch.float64 else one.float() for one in (identities.views, identities.images)
    )
    total, pairs = views.new_zeros(()), 0
    for run, (matches, clips) in enumerate(zip(in_views, in_images, strict=True)):
        for image, clip in enumerate(clips):
            found = [images[run, image, clip.queries]]
            entities = [clip.entities]
            for view, among in enumerate(present[image]):
                match = matches[image * len(present[image]) + view]
                found.append(views[run, image, view, match.queries])
                entities.append(among[match.entities])
            rows, names = torch.cat(found), torch.cat(entities)
            same = (names[:, None] == names).to(rows)
            total = total + functional.binary_cross_entropy_with_logits(rows @ rows.T, same, reduction="sum")
            pairs += same.numel()
    return total / max(pairs, 1)
