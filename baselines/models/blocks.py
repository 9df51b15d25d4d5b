"""Residual blocks of the transformer decoders: attention and feed-forward network, normalised behind or before."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head attention whose queries and keys carry a position, and whose values do not.

    Args:
        size: channels.
        heads: how many heads share them.
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.output = nn.Linear(size, size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as `torch.nn.MultiheadAttention` in the released code: Xavier over the three stacked inputs."""
        for layer in (self.query, self.key, self.value):
            # Stacked, the matrix has 3 outputs an input, so its bound is sqrt(6 / 4n) instead of sqrt(6 / 2n).
            nn.init.xavier_uniform_(layer.weight, gain=math.sqrt(0.5))
            nn.init.zeros_(layer.bias)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Return what each query gathers, float [N, Q, size].

        Args:
            queries: [N, Q, size], positions added.
            keys: [N, L, size], positions added.
            values: [N, L, size].
            allowed: bool [N, Q, L], which keys a query may see; None: all.
        """
        gathered = functional.scaled_dot_product_attention(
            self._split(self.query(queries)),
            self._split(self.key(keys)),
            self._split(self.value(values)),
            attn_mask=None if allowed is None else allowed[:, None],
        )
        return self.output(gathered.transpose(1, 2).flatten(2))

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)


class CrossAttention(nn.Module):
    """Residual attention from queries to a memory."""

    def __init__(self, size: int, heads: int, pre_norm: bool) -> None:
        super().__init__()
        self.attention = Attention(size, heads)
        self.norm = nn.LayerNorm(size)
        self.pre_norm = pre_norm

    def forward(
        self, x: Tensor, position: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None
    ) -> Tensor:
        """Return the queries [N, Q, size] after the block; `position` [Q, size] is theirs."""
        if self.pre_norm:
            return x + self.attention(self.norm(x) + position, keys, values, allowed)
        return self.norm(x + self.attention(x + position, keys, values, allowed))


class SelfAttention(nn.Module):
    """Residual attention among queries."""

    def __init__(self, size: int, heads: int, pre_norm: bool) -> None:
        super().__init__()
        self.attention = Attention(size, heads)
        self.norm = nn.LayerNorm(size)
        self.pre_norm = pre_norm

    def forward(self, x: Tensor, position: Tensor | None = None) -> Tensor:
        """Return the queries [N, Q, size] after the block; `position` [Q, size] is theirs, if they have any."""
        seen = self.norm(x) if self.pre_norm else x
        placed = seen if position is None else seen + position
        gathered = x + self.attention(placed, placed, seen)
        return gathered if self.pre_norm else self.norm(gathered)


class FeedForward(nn.Module):
    """Residual two-layer perceptron on each query."""

    def __init__(self, size: int, units: int, pre_norm: bool) -> None:
        super().__init__()
        self.inner = nn.Linear(size, units)
        self.outer = nn.Linear(units, size)
        self.norm = nn.LayerNorm(size)
        self.pre_norm = pre_norm
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as the released code: Xavier weights, biases as torch's."""
        for layer in (self.inner, self.outer):
            layer.reset_parameters()
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return the queries [N, Q, size] after the block."""
        if self.pre_norm:
            return x + self._perceptron(self.norm(x))
        return self.norm(x + self._perceptron(x))

    def _perceptron(self, x: Tensor) -> Tensor:
        return self.outer(functional.relu(self.inner(x)))
