"""Attention mechanisms on NumPy arrays, computed by a native Rust core."""

from ruvector_attention._native import (
    Attention,
    AttentionError,
    CrossAttention,
    HyperbolicAttention,
    LinearAttention,
    MultiHeadAttention,
    ScaledDotProductAttention,
    SelfAttention,
    __version__,
    features,
    from_poincare,
    poincare_distance,
    project_to_ball,
    to_poincare,
)

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
