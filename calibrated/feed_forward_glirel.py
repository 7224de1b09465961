"""The paper's two-layer feed-forward networks (FFN), of which every stage is made (equations 1, 2, 3 and 6).

Axes: any leading axes, then `hidden`.
"""

from __future__ import annotations

from torch import Tensor, nn


class FeedForward(nn.Sequential):
    """The two-layer FFN: `(…, size)` to `(…, output_size)`.

    Args:
        size: width of what goes in.
        inner_size: width between the layers.
        output_size: width of what comes out.
        dropout: probability of dropout between the layers.
        activation: class of the activation.
    """

    def __init__(
        self, size: int, inner_size: int, output_size: int, dropout: float, activation: type[nn.Module] = nn.ReLU
    ):
        super().__init__(
            nn.Linear(size, inner_size), activation(), nn.Dropout(dropout), nn.Linear(inner_size, output_size)
        )


class ConcatFeedForward(nn.Module):
    """FFN over a concatenation, `FFN(a ⊗ b)`, without concatenating: `(…, size)` twice to `(…, size)`.

    Its first layer is `W (a ⊗ b) = W_left a + W_right b`: with `left` and `right` before and `inner` after the pairs
    are formed, the cost of the first layer grows with the entities and not with their pairs. Exact algebra (equations
    2 and 3).

    Args:
        size: width of either side, and of what comes out.
        inner_size: width between the layers.
        dropout: probability of dropout between the layers.
    """

    def __init__(self, size: int, inner_size: int, dropout: float):
        super().__init__()
        self.left = nn.Linear(size, inner_size)
        self.right = nn.Linear(size, inner_size, bias=False)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(inner_size, size)

    def inner(self, left: Tensor, right: Tensor, in_place: bool = False) -> Tensor:
        """What the second layer reads, from the projections of both sides, `(…, inner)` each.

        With `in_place` it overwrites `left`, and drops nothing out.
        """
        if in_place:
            return left.add_(right).relu_()
        return self.dropout(self.activation(left + right))

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.output(self.inner(self.left(left), self.right(right)))
