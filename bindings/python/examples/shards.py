"""One attention over keys that are spread over processes: each reduces its shard, the parent merges the states.

A state is a few numbers a query, whatever the number of keys: only it travels. States merged in the order of the shards
give the same bits wherever they were computed, and the result of one call up to rounding.

python shards.py
"""

import multiprocessing

import numpy as np
from numpy.typing import NDArray
from ruvector_attention import AttentionState, ScaledDotProductAttention

DIM, KEYS, SHARDS = 64, 20_000, 4
Shard = tuple[int, int]


def rows(shard: Shard) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Keys and values of a shard; a real program reads them from its own disk."""
    rng = np.random.default_rng(shard[0])
    count = shard[1] - shard[0]
    return rng.normal(size=(count, DIM)).astype(np.float32), rng.normal(size=(count, DIM)).astype(np.float32)


def reduce_shard(queries: NDArray[np.float32], shard: Shard) -> AttentionState:
    """What one process does; the state is pickled on its way back."""
    state = ScaledDotProductAttention(DIM, threads=1).state(queries)
    state.push(*rows(shard))
    return state


def merge(states: list[AttentionState]) -> NDArray[np.float32]:
    first, *others = states
    for other in others:
        first.merge(other)
    return first.finish()


def main() -> None:
    queries = np.random.default_rng(1).normal(size=(8, DIM)).astype(np.float32)
    step = KEYS // SHARDS
    shards = [(start, start + step) for start in range(0, KEYS, step)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        far = merge(pool.starmap(reduce_shard, [(queries, shard) for shard in shards]))
    near = merge([reduce_shard(queries, shard) for shard in shards])
    assert far.tobytes() == near.tobytes(), "the place of a computation changed its result"

    parts = [rows(shard) for shard in shards]
    keys, values = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    whole = ScaledDotProductAttention(DIM).forward_batch(queries, keys, values)
    np.testing.assert_allclose(far, whole, rtol=1e-4, atol=1e-6)
    print(f"{SHARDS} shards of {step} keys: same bits as in one process, {np.abs(far - whole).max():.1e} from one call")


if __name__ == "__main__":
    main()
