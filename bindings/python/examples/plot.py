"""Which keys does each query attend to? A picture for three mechanisms, saved as PNG.

python plot.py weights.png
"""

# %% Keys on a spiral, queries along a line. With the identity as values, results are the attention weights.
import sys

import matplotlib
import numpy as np
from numpy.typing import NDArray
from ruvector_attention import Attention, HyperbolicAttention, LinearAttention, ScaledDotProductAttention

matplotlib.use("Agg")  # no screen is needed
import matplotlib.pyplot as plt

angle = np.linspace(0, 3 * np.pi, 40, dtype=np.float32)
keys = 0.9 * (angle / angle[-1])[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
queries = np.stack([np.linspace(-0.9, 0.9, 25), np.zeros(25)], axis=1).astype(np.float32)
identity = np.eye(len(keys), dtype=np.float32)

# %% Hyperbolic attention mixes points of the ball, so its weights are asked for key by key: one key counts, the others not.
mechanisms: dict[str, tuple[Attention, float]] = {
    "scaled dot product": (ScaledDotProductAttention(2), 8.0),
    "linear": (LinearAttention(2), 1.0),
    "hyperbolic": (HyperbolicAttention(1.0), 1.0),
}


def weights(name: str) -> NDArray[np.float32]:
    """The weights of every query, `[queries, keys]`."""
    attention, scale = mechanisms[name]
    if name != "hyperbolic":
        return attention.forward_batch(scale * queries, keys, identity)
    # exp(-distance), normalised: what hyperbolic attention weighs its values with.
    distances = np.array([[HyperbolicAttention(1.0).poincare_distance(q, k) for k in keys] for q in queries])
    unnormalised = np.exp(-distances)
    shares: NDArray[np.float32] = (unnormalised / unnormalised.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


# %% One picture a mechanism.
def main(path: str) -> None:
    figure, axes = plt.subplots(1, len(mechanisms), figsize=(12, 4), layout="constrained")
    for axis, name in zip(axes, mechanisms, strict=True):
        shares = weights(name)
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
        image = axis.imshow(shares, aspect="auto", cmap="viridis")
        axis.set(title=name, xlabel="key", ylabel="query")
        figure.colorbar(image, ax=axis)
    figure.savefig(path, dpi=100)
    print(f"saved {path}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "weights.png")
