"""Names of what `AttentionBuilder` builds."""

from enum import Enum


class AttentionType(str, Enum):  # noqa: UP042 - Python 3.9 has no StrEnum
    """Which attention to build; strings of the same value do as well.

    >>> AttentionBuilder().attention_type(AttentionType.CROSS).hidden_dim(4).build()
    CrossAttention(dim=4)
    """

    SCALED_DOT_PRODUCT = "scaled-dot-product"
    MULTI_HEAD = "multi-head"
    HYPERBOLIC = "hyperbolic"
    LINEAR = "linear"
    CROSS = "cross-attention"
    SELF = "self-attention"
    AUTO = "auto"
