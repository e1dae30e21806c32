"""Installs a wheel, or builds and installs a source package, in a fresh virtual environment and replays the reference cases.

`wheel.py ARTIFACT_DIR VECTORS_JSON`, where the folder may also be an environment into which the package was installed; the environment's own Python then runs this file with `--inside VECTORS_JSON`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cases
from cases import Case

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WAY = os.environ.get("RVA_SMOKE_WAY", "")
NUMPY = Path(__file__).with_name("numpy.txt")


def compute(case: Case) -> Sequence[float]:
    """One case through the installed package; one query goes through forward, several through forward_batch.

    RVA_SMOKE_WAY=cache puts keys and values into a KeyValueCache, state pushes them in two pieces to an AttentionState.
    """
    import numpy as np
    import ruvector_attention as api

    def array(rows: cases.Rows) -> NDArray[np.float32]:
        return np.array(rows, dtype=np.float32)

    def numbers(result: NDArray[np.float32]) -> list[float]:
        return [float(number) for number in result.ravel()]

    options: dict[str, Any] = {"num_neighbors": case.neighbors, "causal": case.causal}
    if case.mask is not None:
        options["mask"] = np.array(case.mask, dtype=np.bool_)
    if case.is_point:
        x, y = array(case.query)[0], array(case.keys)[0]
        if case.kind == "poincare_distance":
            return [api.poincare_distance(x, y, case.curvature)]
        return numbers(getattr(api, case.kind)(x, case.curvature))
    query, keys, values = array(case.query), array(case.keys), array(case.values)
    dim = query.shape[1]
    if case.kind == "self":
        return numbers(api.SelfAttention(dim).forward(query, **options))
    make: dict[str, Callable[[], api.Attention]] = {
        "scaled_dot_product": lambda: api.ScaledDotProductAttention(dim),
        "cross": lambda: api.CrossAttention(dim),
        "multi_head": lambda: api.MultiHeadAttention(case.num_heads, dim),
        "hyperbolic": lambda: api.HyperbolicAttention(case.curvature),
        "linear": lambda: api.LinearAttention(dim),
    }
    return numbers(_attend(make[case.kind](), query, keys, values, options))


def _attend(attention: Any, query: Any, keys: Any, values: Any, options: dict[str, Any]) -> Any:
    """The way that is asked for: keys and values as they are, in a cache, or in two pieces."""
    import ruvector_attention as api

    memory: tuple[Any, ...] = (keys, values)
    if WAY == "state":
        state = attention.state(query, values.shape[1])
        for part in (slice(0, len(keys) // 2), slice(len(keys) // 2, None)):
            if len(keys[part]):
                state.push(keys[part], values[part])
        return state.finish()
    if WAY == "cache":
        cache = api.KeyValueCache(query.shape[1], values.shape[1])
        cache.append(keys, values)
        memory = (cache,)
    if len(query) == 1:
        return attention.forward(query[0], *memory, **options)
    return attention.forward_batch(query, *memory, **options)


def offered(case: Case) -> bool:
    """Whether the way that is asked for has such cases."""
    if not WAY:
        return True
    plain = case.mask is None and case.neighbors is None and not case.causal
    return not case.is_point and case.kind != "self" and (WAY == "cache" or plain)


def install(package: Path | None, folder: Path) -> Path:
    """The environment, made if it is not there, with the pinned NumPy and with the package if one is given; its Python."""
    if not (folder / "pyvenv.cfg").is_file():
        venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # A source package is built as pip builds it for a user: with the build tool that it asks for, from the package index.
    wanted = [["--require-hashes", "--only-binary", ":all:", "-r", str(NUMPY)]]
    if package:
        wanted.append(["--no-deps", *([] if package.suffix == ".gz" else ["--no-index"]), str(package)])
    for what in wanted:
        done = subprocess.run([*pip, *what], stdout=sys.stderr, check=False, timeout=600)
        if done.returncode != 0:
            raise SystemExit(f"pip install {' '.join(what)} failed with exit code {done.returncode}")
    return python


def main(argv: list[str]) -> int:
    if argv[1:2] == ["--inside"]:
        return cases.replay([case for case in cases.load(Path(argv[2])) if offered(case)], compute)
    folder, vectors = cases.arguments(argv)
    if (folder / "pyvenv.cfg").is_file():
        return replay(install(None, folder), vectors)
    package = cases.only(folder, "*.whl" if any(folder.glob("*.whl")) else "*.tar.gz")
    with tempfile.TemporaryDirectory(prefix="rva-smoke-") as name:
        return replay(install(package, Path(name) / "venv"), vectors)


def replay(python: Path, vectors: Path) -> int:
    """Run this file inside the environment."""
    # Neither PYTHONPATH nor the user's packages: only what was installed.
    inside = [str(python), "-E", "-s", __file__, "--inside", str(vectors)]
    return subprocess.run(inside, check=False, timeout=600).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
