"""Where the tool keeps its templates and the locked lists of its own tools: in the wheel, or in the checkout it runs from."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def templates() -> Path:
    """The folder of templates."""
    return _folder("templates")


def requirements() -> Path:
    """The folder of locked lists."""
    return _folder("requirements")


def locked(name: str, root: Path) -> Path:
    """A locked list or a folder of one, such as tools.txt: the tool's own, or the project's where the tool has none."""
    own = requirements() / name
    return own if own.exists() else root / "requirements" / name


def _folder(name: str) -> Path:
    # The wheel holds these folders below the package; a checkout has them at its top, beside toolkit/.
    packed = _HERE / name
    return packed if packed.is_dir() else _HERE.parents[1] / name
