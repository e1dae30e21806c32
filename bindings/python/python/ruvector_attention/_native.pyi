from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import disjoint_base

__all__ = [
    "Attention",
    "AttentionError",
    "CrossAttention",
    "HyperbolicAttention",
    "LinearAttention",
    "MultiHeadAttention",
    "ScaledDotProductAttention",
    "SelfAttention",
    "__version__",
    "features",
    "from_poincare",
    "poincare_distance",
    "project_to_ball",
    "to_poincare",
]
__version__: str

class AttentionError(ValueError):
    """A call was refused."""

    code: str
    """Stable name of the fault, such as "length" or "non_finite"."""
    argument: str
    """Name of the argument at fault."""

@disjoint_base
class Attention:
    """An attention mechanism with its parameters; one of its subclasses."""

    @property
    def kind(self) -> str:
        """Name of the mechanism, one of `features()`."""

    def forward(
        self,
        query: ArrayLike,
        keys: ArrayLike,
        values: ArrayLike,
        *,
        num_neighbors: int | None = None,
        mask: Sequence[bool] | NDArray[np.bool_] | None = None,
        causal: bool = False,
    ) -> NDArray[np.float32]:
        """Attend from one query `[d]` over keys `[n, d]` and values `[n, dv]`; returns `[dv]`."""

    def forward_batch(
        self,
        queries: ArrayLike,
        keys: ArrayLike,
        values: ArrayLike,
        *,
        num_neighbors: int | None = None,
        mask: Sequence[bool] | NDArray[np.bool_] | None = None,
        causal: bool = False,
    ) -> NDArray[np.float32]:
        """Attend from queries `[m, d]` over the same keys and values; returns `[m, dv]`."""

@final
class ScaledDotProductAttention(Attention):
    """Softmax attention with scores scaled by 1/sqrt(dim)."""

    def __new__(cls, dim: int) -> ScaledDotProductAttention: ...
    @property
    def dim(self) -> int: ...

@final
class CrossAttention(Attention):
    """Softmax attention of queries over another memory."""

    def __new__(cls, dim: int) -> CrossAttention: ...
    @property
    def dim(self) -> int: ...

@final
class LinearAttention(Attention):
    """Linear attention with the feature map elu(x) + 1; it has no top-k."""

    def __new__(cls, dim: int) -> LinearAttention: ...
    @property
    def dim(self) -> int: ...

@final
class MultiHeadAttention(Attention):
    """Softmax attention of several heads, each over its share of the dimension; nothing is projected."""

    def __new__(cls, num_heads: int, hidden_dim: int, dropout: float | None = None) -> MultiHeadAttention: ...
    @property
    def num_heads(self) -> int: ...
    @property
    def hidden_dim(self) -> int: ...
    @property
    def head_dim(self) -> int: ...

@final
class HyperbolicAttention(Attention):
    """Attention in the Poincaré ball of curvature -c: scores are negative distances, the result is a gyromidpoint."""

    def __new__(cls, curvature: float) -> HyperbolicAttention: ...
    @property
    def curvature(self) -> float: ...
    def poincare_distance(self, x: ArrayLike, y: ArrayLike) -> float: ...
    def to_poincare(self, x: ArrayLike) -> NDArray[np.float32]: ...
    def from_poincare(self, x: ArrayLike) -> NDArray[np.float32]: ...
    def project_to_ball(self, x: ArrayLike) -> NDArray[np.float32]: ...

@final
class SelfAttention:
    """Softmax attention of a sequence over itself."""

    def __new__(cls, dim: int) -> SelfAttention: ...
    @property
    def dim(self) -> int: ...
    @property
    def kind(self) -> str: ...
    def forward(
        self,
        x: ArrayLike,
        *,
        num_neighbors: int | None = None,
        mask: Sequence[bool] | NDArray[np.bool_] | None = None,
        causal: bool = False,
    ) -> NDArray[np.float32]:
        """Attend from each row of the sequence `[n, d]` over all of them; returns `[n, d]`."""

    def forward_batch(
        self,
        sequences: Sequence[ArrayLike],
        *,
        num_neighbors: int | None = None,
        mask: Sequence[bool] | NDArray[np.bool_] | None = None,
        causal: bool = False,
    ) -> list[NDArray[np.float32]]:
        """Attend within each of several sequences."""

def features() -> list[str]:
    """Names of the attention mechanisms."""

def poincare_distance(x: ArrayLike, y: ArrayLike, curvature: float) -> float:
    """Distance of two points of the ball of curvature -c."""

def to_poincare(x: ArrayLike, curvature: float) -> NDArray[np.float32]:
    """Map a Euclidean vector into the ball: the exponential map at the origin."""

def from_poincare(x: ArrayLike, curvature: float) -> NDArray[np.float32]:
    """Map a point of the ball to a Euclidean vector: the inverse of `to_poincare`."""

def project_to_ball(x: ArrayLike, curvature: float) -> NDArray[np.float32]:
    """Move a point that lies outside the ball to just inside its boundary; others stay."""
