"""The same with Dask: shards are reduced by its workers, and their states merged as a tree.

python dask_shards.py
"""

import numpy as np
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray
from ruvector_attention import AttentionState, MultiHeadAttention

HEADS, DIM, ROWS, SHARDS = 4, 64, 5_000, 8


def rows(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ROWS, DIM)).astype(np.float32), rng.normal(size=(ROWS, DIM)).astype(np.float32)


def reduce_shard(attention: MultiHeadAttention, queries: NDArray[np.float32], seed: int) -> AttentionState:
    """Runs on a worker; attention and state are pickled."""
    state = attention.state(queries)
    state.push(*rows(seed))
    return state


def merge(left: AttentionState, right: AttentionState) -> AttentionState:
    left.merge(right)
    return left


def main() -> None:
    attention = MultiHeadAttention(HEADS, DIM, threads=1)
    queries = np.random.default_rng(99).normal(size=(4, DIM)).astype(np.float32)
    delayed_reduce, delayed_merge = delayed(reduce_shard), delayed(merge)
    states = [delayed_reduce(attention, queries, seed) for seed in range(SHARDS)]
    while len(states) > 1:  # neighbours merge, so the order of the keys stays
        states = [delayed_merge(states[i], states[i + 1]) for i in range(0, len(states), 2)]
    (state,) = compute(states[0], scheduler="processes", num_workers=2)  # type: ignore[no-untyped-call]

    parts = [rows(seed) for seed in range(SHARDS)]
    keys, values = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    whole = attention.forward_batch(queries, keys, values)
    np.testing.assert_allclose(state.finish(), whole, rtol=1e-4, atol=1e-6)
    print(f"{len(state)} keys on Dask's workers: {np.abs(state.finish() - whole).max():.1e} from one call")


if __name__ == "__main__":
    main()
