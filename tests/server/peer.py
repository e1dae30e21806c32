"""The same work by FastAPI and NumPy, for throughput.py: raw float32 in, raw float32 out."""

from __future__ import annotations

import numpy as np
from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.get("/health")
async def health() -> str:
    return "OK"


@app.post("/attention")
async def attention(request: Request, hidden_dim: int, num_keys: int) -> Response:
    data = np.frombuffer(await request.body(), dtype="<f4")
    query, keys, values = np.split(data, [hidden_dim, hidden_dim + num_keys * hidden_dim])
    scores = keys.reshape(num_keys, hidden_dim) @ query / np.float32(np.sqrt(hidden_dim))
    weights = np.exp(scores - scores.max())
    result = weights @ values.reshape(num_keys, hidden_dim) / weights.sum()
    return Response(result.astype("<f4").tobytes(), media_type="application/octet-stream")
