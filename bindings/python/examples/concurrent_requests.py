"""Requests of an asyncio program: each call runs in a thread while the event loop goes on.

python concurrent_requests.py
"""

import asyncio
import time

import numpy as np
from numpy.typing import NDArray
from ruvector_attention import KeyValueCache, ScaledDotProductAttention

DIM, ROWS = 64, 50_000
# Requests share the cores: one thread a call, as many calls at a time as asyncio has threads.
attention = ScaledDotProductAttention(DIM, threads=1)
cache = KeyValueCache(DIM)


async def answer(query: NDArray[np.float32]) -> NDArray[np.float32]:
    return await asyncio.to_thread(attention.forward, query, cache)


async def beat(stop: asyncio.Event) -> int:
    """How often the event loop gets to run."""
    beats = 0
    while not stop.is_set():
        beats += 1
        await asyncio.sleep(0.001)
    return beats


async def main() -> None:
    rng = np.random.default_rng(0)
    cache.append(rng.normal(size=(ROWS, DIM)), rng.normal(size=(ROWS, DIM)))
    queries = rng.normal(size=(100, DIM)).astype(np.float32)
    stop = asyncio.Event()
    beating = asyncio.create_task(beat(stop))
    started = time.perf_counter()
    results = await asyncio.gather(*(answer(query) for query in queries))
    took = time.perf_counter() - started
    stop.set()
    beats = await beating
    assert beats > 1, "the event loop was blocked"
    np.testing.assert_array_equal(results[7], attention.forward(queries[7], cache))
    print(f"{len(results)} requests in {took * 1000:.0f} ms, the event loop ran {beats} times meanwhile")


if __name__ == "__main__":
    asyncio.run(main())
