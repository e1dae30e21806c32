"""PyTorch on the CPU: its fused attention, and two products with a softmax."""

from __future__ import annotations

import torch
from serve import Ask, Task, serve


def prepare(ask: Ask) -> Task:
    """Tensors as [1, heads, rows, width], which its kernels want."""
    torch.set_num_threads(ask.threads)
    q, k, v = (torch.from_numpy(ask.split(x))[None] for x in (ask.queries, ask.keys, ask.values))
    scale = ask.width**-0.5
    m, n = q.shape[2], k.shape[2]
    hidden = torch.full((m, n), float("-inf")).triu(n - m + 1) if ask.causal else None
    last = [torch.empty(0)]

    def fused() -> None:
        last[0] = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=ask.causal)

    def matmul() -> None:
        scores = (q * scale) @ k.transpose(-1, -2)
        if hidden is not None:
            scores += hidden
        last[0] = torch.softmax(scores, dim=-1) @ v

    return Task(fused if ask.way == "SDPA" else matmul, lambda: ask.join(last[0][0].numpy()))


if __name__ == "__main__":
    with torch.inference_mode():
        serve(prepare, lambda: {"torch": torch.__version__})
