from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, SupportsIndex, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Buffer, Self, TypeAlias, disjoint_base  # noqa: UP035 - type checkers of Python 3.9 read it too

__all__ = [
    "Attention",
    "AttentionBuilder",
    "AttentionError",
    "AttentionState",
    "CrossAttention",
    "ForwardStream",
    "HyperbolicAttention",
    "KeyValueCache",
    "LinearAttention",
    "MultiHeadAttention",
    "MultiHeadWeights",
    "PreparedCall",
    "ScaledDotProductAttention",
    "SelfAttention",
    "__version__",
    "features",
    "from_poincare",
    "kernels",
    "poincare_distance",
    "project_to_ball",
    "to_poincare",
    "version",
]
__version__: str

class _Exporter(Protocol):
    """A tensor of another library, in the CPU's memory."""

    def __dlpack__(self) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

_Tensor: TypeAlias = ArrayLike | _Exporter
"""float32, float16 and bfloat16 in C order are read as they are; other real numbers are converted to float32."""
_Mask: TypeAlias = Sequence[bool] | NDArray[np.bool_] | NDArray[np.uint8]
"""One flag a key, true = the key takes part."""
_Floats: TypeAlias = NDArray[np.float32]

class AttentionError(ValueError):
    """A call was refused: `code` names the fault, `argument` the argument."""

    code: str
    """Stable name of the fault, such as "length" or "non_finite"."""
    argument: str
    """Name of the argument at fault; empty if there is none."""

@disjoint_base
class Attention:
    """An attention mechanism with its parameters; one of its subclasses.

    Attentions are immutable: any number of threads may use one at a time. Those without weights can be pickled.
    """

    @property
    def kind(self) -> str:
        """Name of the mechanism, one of `features()`."""

    @property
    def kernel(self) -> str:
        """Name of the kernel that computes, one of `kernels()`."""

    @property
    def dim(self) -> int | None:
        """Length of a query; None where any will do."""

    def forward(
        self,
        query: _Tensor,
        keys: _Tensor | KeyValueCache,
        values: _Tensor | None = None,
        *,
        num_neighbors: SupportsIndex | None = None,
        mask: _Mask | None = None,
        causal: bool = False,
        training: bool = False,
        seed: SupportsIndex | None = None,
        out: _Floats | None = None,
    ) -> _Floats:
        """Attend from one query `[d]` over keys `[n, d]` and values `[n, dv]`; returns `[dv]`.

        Keys and values may be flat, and `keys` may be a `KeyValueCache`, without `values`. `num_neighbors` keeps the
        keys with the best scores; `mask` has one flag a key, true = it takes part. `training` drops weights as `seed`
        says. The result is written to `out`, a float32 array, where it is given.
        """

    def prepare(
        self,
        query: _Tensor,
        keys: _Tensor | KeyValueCache,
        values: _Tensor | None = None,
        *,
        num_neighbors: SupportsIndex | None = None,
        mask: _Mask | None = None,
        causal: bool = False,
        training: bool = False,
        seed: SupportsIndex | None = None,
        out: _Floats | None = None,
    ) -> PreparedCall:
        """Read the arguments of a `forward` once, for a call that is made again and again.

        The arrays are read anew by each `run`, so the next query is written into the same array; they have to be such
        as need no conversion. A cache is read as it is when the call runs. The result is written to `out`, a new array
        unless given.
        """

    def forward_batch(
        self,
        queries: _Tensor,
        keys: _Tensor | KeyValueCache,
        values: _Tensor | None = None,
        *,
        num_neighbors: SupportsIndex | None = None,
        mask: _Mask | None = None,
        causal: bool = False,
        training: bool = False,
        seed: SupportsIndex | None = None,
        out: _Floats | None = None,
    ) -> _Floats:
        """Attend from queries `[m, d]` over the same keys and values; returns `[m, dv]`.

        Options are those of `forward`; with `causal`, query i of m sees keys j <= i + n - m.
        """

    def forward_stream(
        self,
        queries: Iterable[_Tensor],
        keys: _Tensor | KeyValueCache,
        values: _Tensor | None = None,
        *,
        num_neighbors: SupportsIndex | None = None,
        mask: _Mask | None = None,
        causal: bool = False,
        training: bool = False,
        seed: SupportsIndex | None = None,
    ) -> ForwardStream:
        """Attend from each of the queries as it comes; returns an iterator over the results, in order.

        Keys and values are read once; a query is taken from the iterable when its result is asked for.
        """

    def state(
        self,
        queries: _Tensor,
        value_dim: SupportsIndex | None = None,
        *,
        num_neighbors: SupportsIndex | None = None,
        causal: bool = False,
    ) -> AttentionState:
        """Start a computation whose keys and values arrive in chunks, for a query `[d]` or queries `[m, d]`.

        Values will have `value_dim` numbers; those of a query if it is not given.
        """

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...

@final
class ScaledDotProductAttention(Attention):
    """Softmax attention with scores scaled by 1/sqrt(dim).

    `num_neighbors` is k of top-k where a call names none, `dropout` acts in training, `threads` bounds the threads of
    a call, and `kernel` names one of `kernels()`.
    """

    def __new__(
        cls,
        dim: SupportsIndex,
        *,
        num_neighbors: SupportsIndex | None = None,
        dropout: float | None = None,
        threads: SupportsIndex | None = None,
        kernel: str | None = None,
    ) -> Self: ...

@final
class CrossAttention(Attention):
    """Softmax attention of queries over another memory."""

    def __new__(
        cls,
        dim: SupportsIndex,
        *,
        num_neighbors: SupportsIndex | None = None,
        dropout: float | None = None,
        threads: SupportsIndex | None = None,
        kernel: str | None = None,
    ) -> Self: ...

@final
class LinearAttention(Attention):
    """Linear attention with the feature map elu(x) + 1; it has no top-k and nothing to drop.

    With `random_features` it approximates softmax attention instead (FAVOR+), by features drawn from `seed`.
    """

    def __new__(
        cls,
        dim: SupportsIndex,
        *,
        random_features: SupportsIndex | None = None,
        seed: SupportsIndex | None = None,
        threads: SupportsIndex | None = None,
        kernel: str | None = None,
    ) -> Self: ...

@final
class MultiHeadAttention(Attention):
    """Softmax attention of several heads, each over its share of `hidden_dim`.

    Nothing is projected, unless `weights` are given. `dropout` acts in training only.
    """

    def __new__(
        cls,
        num_heads: SupportsIndex,
        hidden_dim: SupportsIndex,
        dropout: float | None = None,
        *,
        weights: MultiHeadWeights | None = None,
        num_neighbors: SupportsIndex | None = None,
        threads: SupportsIndex | None = None,
        kernel: str | None = None,
    ) -> Self: ...
    @property
    def num_heads(self) -> int:
        """Number of heads."""

    @property
    def hidden_dim(self) -> int:
        """Length of a query: all heads together."""

    @property
    def head_dim(self) -> int:
        """Length of one head."""

@final
class HyperbolicAttention(Attention):
    """Attention in the Poincaré ball of curvature -c: scores are negative distances, the result is a gyromidpoint.

    Points outside the ball are refused, unless `project` asks to move them inside. With `dim`, only queries of that
    length are accepted.
    """

    def __new__(
        cls,
        curvature: float,
        *,
        dim: SupportsIndex | None = None,
        project: bool = False,
        num_neighbors: SupportsIndex | None = None,
        dropout: float | None = None,
        threads: SupportsIndex | None = None,
        kernel: str | None = None,
    ) -> Self: ...
    @property
    def curvature(self) -> float:
        """c, where the space has curvature -c."""

    def poincare_distance(self, x: _Tensor, y: _Tensor) -> float:
        """Distance of two points of the ball."""

    def to_poincare(self, x: _Tensor) -> _Floats:
        """Map a Euclidean vector into the ball: the exponential map at the origin."""

    def from_poincare(self, x: _Tensor) -> _Floats:
        """Map a point of the ball to a Euclidean vector: the inverse of `to_poincare`."""

    def project_to_ball(self, x: _Tensor) -> _Floats:
        """Move a point that lies outside the ball to just inside its boundary; others stay."""

@final
class SelfAttention:
    """Softmax attention of a sequence over itself."""

    def __new__(
        cls,
        dim: SupportsIndex,
        *,
        num_neighbors: SupportsIndex | None = None,
        dropout: float | None = None,
        threads: SupportsIndex | None = None,
        kernel: str | None = None,
    ) -> Self: ...
    @property
    def dim(self) -> int:
        """Length of a row."""

    @property
    def kind(self) -> str:
        """Name of the mechanism, one of `features()`."""

    @property
    def kernel(self) -> str:
        """Name of the kernel that computes, one of `kernels()`."""

    def forward(
        self,
        x: _Tensor,
        *,
        num_neighbors: SupportsIndex | None = None,
        mask: _Mask | None = None,
        causal: bool = False,
        training: bool = False,
        seed: SupportsIndex | None = None,
        out: _Floats | None = None,
    ) -> _Floats:
        """Attend from each row of the sequence `[n, d]` over all of them; returns `[n, d]`.

        Options are those of `Attention.forward`.
        """

    def forward_batch(
        self,
        sequences: Iterable[_Tensor],
        *,
        num_neighbors: SupportsIndex | None = None,
        mask: _Mask | None = None,
        causal: bool = False,
        training: bool = False,
        seed: SupportsIndex | None = None,
    ) -> list[_Floats]:
        """Attend within each of several sequences; returns a list."""

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...

@final
class MultiHeadWeights:
    """Weights of multi-head attention: four matrices `[hidden_dim, hidden_dim]`, flat or rows, and optional biases.

    A row is projected as y = x Wᵀ + b, as in torch.nn.MultiheadAttention.
    """

    def __new__(
        cls,
        hidden_dim: SupportsIndex,
        w_q: _Tensor,
        w_k: _Tensor,
        w_v: _Tensor,
        w_o: _Tensor,
        *,
        b_q: _Tensor | None = None,
        b_k: _Tensor | None = None,
        b_v: _Tensor | None = None,
        b_o: _Tensor | None = None,
    ) -> Self: ...
    @classmethod
    def from_safetensors(cls, source: str | PathLike[str] | Buffer, prefix: str = "") -> Self:
        """Read float32 weights from a safetensors file, given by its path or its bytes.

        Looked for, each with `prefix` before its name: `q_proj.weight`, `k_proj.weight`, `v_proj.weight` and
        `out_proj.weight`, or torch's `in_proj_weight` and `out_proj.weight`; and either all biases or none.
        """

    @property
    def hidden_dim(self) -> int:
        """Length of a query."""

@final
class KeyValueCache:
    """Keys and values of a growing sequence, which `forward` and its kin take in place of `keys` and `values`.

    Elements are stored as `precision` says: "f32", or "f16" or "bf16" for half the memory, rounded once and computed
    with in float32. Values have `value_dim` numbers; those of a key if it is not given. Threads may share a cache:
    appending waits until calls that read it have ended. Caches can be pickled.
    """

    def __new__(
        cls,
        dim: SupportsIndex,
        value_dim: SupportsIndex | None = None,
        *,
        precision: Literal["f32", "f16", "bf16"] = "f32",
    ) -> Self: ...
    @property
    def dim(self) -> int:
        """Length of a key."""

    @property
    def value_dim(self) -> int:
        """Length of a value."""

    @property
    def precision(self) -> str:
        """How elements are stored: "f32", "f16" or "bf16"."""

    @property
    def nbytes(self) -> int:
        """Bytes that the rows take."""

    def append(self, keys: _Tensor, values: _Tensor) -> None:
        """Append n keys `[n, dim]` and their values `[n, value_dim]`, or one of each.

        After an error nothing has changed.
        """

    def reserve(self, rows: SupportsIndex) -> None:
        """Make room for so many more rows."""

    def truncate(self, rows: SupportsIndex) -> None:
        """Keep the first rows only."""

    def clear(self) -> None:
        """Remove all rows; the memory stays for the next ones."""

    def to_arrays(self) -> tuple[_Floats, _Floats]:
        """Copies of the keys `[n, dim]` and the values `[n, value_dim]`, as float32."""

    def __len__(self) -> int: ...
    def __getnewargs_ex__(self) -> tuple[tuple[int, int], dict[str, str]]: ...
    def __getstate__(self) -> tuple[_Floats, _Floats]: ...
    def __setstate__(self, state: tuple[_Floats, _Floats]) -> None: ...

@final
class AttentionState:
    """A computation in progress: fixed queries, and the keys seen so far, reduced to running sums.

    Made by `state()` of an attention. Any chunking gives the result of one call, up to rounding; states over different
    shards of the keys merge, in this process or, as bytes or pickled, in another.
    """

    @classmethod
    def from_bytes(cls, data: Buffer) -> Self:
        """Read what `to_bytes` wrote, in this process or another, and check it."""

    @property
    def num_queries(self) -> int:
        """Number of queries."""

    @property
    def dim(self) -> int:
        """Length of a query and of a key."""

    @property
    def value_dim(self) -> int:
        """Length of a value."""

    def push(self, keys: _Tensor, values: _Tensor, *, mask: _Mask | None = None) -> None:
        """Add keys `[n, dim]` and their values `[n, value_dim]`, those of them whose flag in the mask is true.

        After an error the state is as it was.
        """

    def merge(self, other: AttentionState) -> None:
        """Add the keys that another state of the same computation has seen; they come after this state's own.

        After an error the state is as it was.
        """

    def finish(self) -> _Floats:
        """The result for all keys so far, `[m, value_dim]`; the state can go on afterwards."""

    def to_bytes(self) -> bytes:
        """The state as bytes, the same on every machine: little-endian, with a version and a checksum."""

    def __len__(self) -> int: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: Any) -> Self: ...
    def __reduce__(self) -> tuple[Any, tuple[bytes]]: ...

@final
class PreparedCall:
    """A call that is made again and again; made by `prepare` of an attention."""

    @property
    def out(self) -> _Floats:
        """What each run writes its result to."""

    def run(self) -> _Floats:
        """Compute from what the arrays or the cache hold now; returns `out`."""

@final
class ForwardStream(Iterator[_Floats]):
    """Iterator over results, one a query."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> _Floats: ...

@final
class AttentionBuilder:
    """Builds any attention; every setter returns the builder."""

    def __new__(cls) -> Self: ...
    def attention_type(
        self,
        name: str,
        *,
        num_heads: SupportsIndex | None = None,
        num_neighbors: SupportsIndex | None = None,
        curvature: float | None = None,
    ) -> Self:
        """Set the type, one of `AttentionType`, with the parameters that belong to it alone."""

    def hidden_dim(self, hidden_dim: SupportsIndex) -> Self:
        """Set the length of a query, 128 unless set."""

    def dropout(self, dropout: float) -> Self:
        """Set the dropout of training passes, 0 unless set."""

    def use_simd(self, use_simd: bool) -> Self:
        """Use the fastest kernel of the machine, as is the default, or the portable one."""

    def num_threads(self, num_threads: SupportsIndex) -> Self:
        """Set the most threads that a call may use."""

    def resolve(self) -> str:
        """Name of the type that `build` makes.

        It is the one set, and for "auto" multi-head if there is more than one head, else scaled dot-product. Both are
        exact.
        """

    def build(self) -> Attention | SelfAttention:
        """Check everything and build."""

def features() -> list[str]:
    """Names of the attention mechanisms."""

def kernels() -> list[str]:
    """Names of the kernels that this machine can run, fastest first.

    The environment variable `RUVECTOR_ATTENTION_KERNEL` picks one for the process.
    """

def version() -> str:
    """Version of the library."""

def poincare_distance(x: _Tensor, y: _Tensor, curvature: float) -> float:
    """Distance of two points of the ball of curvature -c."""

def to_poincare(x: _Tensor, curvature: float) -> _Floats:
    """Map a Euclidean vector into the ball: the exponential map at the origin."""

def from_poincare(x: _Tensor, curvature: float) -> _Floats:
    """Map a point of the ball to a Euclidean vector: the inverse of `to_poincare`."""

def project_to_ball(x: _Tensor, curvature: float) -> _Floats:
    """Move a point that lies outside the ball to just inside its boundary; others stay."""
