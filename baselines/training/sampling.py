"""Points at which mask losses are taken, and the values of maps and masks there.

A point is (x, y) in [0, 1] x [0, 1], the map's corners; values between pixel centres are bilinear, and zero outside.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def random_points(rows: int, count: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return uniform points, [rows, count, 2], of the kind and on the device of `like`."""
    return torch.rand(rows, count, 2, dtype=_wide(like), device=like.device, generator=generator)


def sample_maps(maps: Tensor, points: Tensor) -> Tensor:
    """Return the values of maps at points, differentiable in the maps.

    Args:
        maps: float [rows, channels, height, width].
        points: float [rows, count, 2].

    Returns:
        float [rows, channels, count], float32 or wider.

    >>> sample_maps(torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[0.5, 0.5]]]))
    tensor([[[0.5000]]])
    """
    wide = maps.to(_wide(maps))
    return functional.grid_sample(wide, 2 * points[:, :, None].to(wide) - 1, align_corners=False).squeeze(3)


def with_border(masks: Tensor) -> Tensor:
    """Return masks [..., height + 2, width + 2] with a border of zeros, as `sample_masks` takes them."""
    *rest, height, width = masks.shape
    bordered = masks.new_zeros(*rest, height + 2, width + 2)
    bordered[..., 1:-1, 1:-1] = masks
    return bordered


def sample_masks(bordered: Tensor, points: Tensor) -> Tensor:
    """Return the values of masks at points; the masks stay one byte a pixel.

    Args:
        bordered: bool [rows, height + 2, width + 2], masks with a border of zeros, so that no point has neighbours
            outside.
        points: float [rows, count, 2]; or [1, count, 2], the same for all rows.

    Returns:
        Shares in [0, 1], [rows, count], of the kind of `points`.

    >>> sample_masks(with_border(torch.tensor([[[False, True]]])), torch.tensor([[[0.5, 0.5], [0.75, 0.5]]]))
    tensor([[0.5000, 1.0000]])
    """
    rows, height, width = bordered.shape
    flat = bordered.reshape(rows, height * width)
    x, y = points[..., 0] * (width - 2) - 0.5, points[..., 1] * (height - 2) - 0.5
    left, top = x.floor(), y.floor()
    place = ((top.long() + 1) * width + left.long() + 1).expand(rows, -1)
    x, y = x - left, y - top
    values = flat.gather(1, place) * ((1 - x) * (1 - y))
    values += flat.gather(1, place + 1) * (x * (1 - y))
    values += flat.gather(1, place + width) * ((1 - x) * y)
    values += flat.gather(1, place + (width + 1)) * (x * y)
    return values


@torch.no_grad()
def uncertain_points(
    maps: Tensor, count: int, oversample: float, importance: float, generator: torch.Generator | None
) -> Tensor:
    """Return points for each map, most of them where its sign is least certain (PointRend, section 4.1.2).

    Of `count * oversample` random points those with the smallest absolute logit are kept as the share `importance`;
    the rest is uniform.

    Args:
        maps: logits, float [rows, height, width].
        count: points a map.
        oversample: candidates for each point, at least 1.
        importance: share of uncertain points, 0 to 1.
        generator: of the random points, on the device of `maps`.

    Returns:
        float [rows, count, 2].
    """
    rows = len(maps)
    candidates = random_points(rows, int(count * oversample), maps, generator)
    certainty = sample_maps(maps[:, None], candidates)[:, 0].abs()
    kept = int(importance * count)
    chosen = certainty.topk(kept, dim=1, largest=False, sorted=False).indices
    uncertain = candidates.gather(1, chosen[..., None].expand(-1, -1, 2))
    if kept == count:
        return uncertain
    return torch.cat([uncertain, random_points(rows, count - kept, maps, generator)], dim=1)


def _wide(like: Tensor) -> torch.dtype:
    # Half precision has too few digits for coordinates of maps wider than 1,000 pixels, and for sums of losses.
    return torch.float64 if like.dtype == torch.float64 else torch.float32
