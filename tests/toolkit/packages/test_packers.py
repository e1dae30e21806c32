"""Tools that pack: what they leave out, leave behind or lack is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from rva import archive, shell
from rva.archive import Member
from rva.errors import CheckFailed, ToolError
from rva.log import Log
from rva.model import Package, Part
from rva.packages import nfpm_pack, npm_pack, parts, zstd_pack

PARTS = (Part("package.json", text="{}"), Part("bin/run", text="x", executable=True), Part("page", data=b"\x1f\x8b"))
PACKAGE = Package("npm/a-1.0.0.tgz", "npm", "a", (), PARTS, "npm")


class Npm:
    """Stands in for `npm pack`: makes a tarball of the folder, in which `change` may leave out or add members."""

    def __init__(self, *, without: str = "", extra: str = "", silent: bool = False) -> None:
        self.without, self.extra, self.silent = without, extra, silent

    def __call__(self, argv: Sequence[object], **options: object) -> None:
        folder, place = Path(str(options["cwd"])) / "0", Path(str(argv[list(argv).index("--pack-destination") + 1]))
        found = [p for p in folder.rglob("*") if p.is_file()]
        members = [Member(p.relative_to(folder).as_posix(), p.read_bytes()) for p in found]
        members = [m for m in members if m.path != self.without] + ([Member(self.extra, b"")] if self.extra else [])
        if not self.silent:
            (place / "a-1.0.0.tgz").write_bytes(archive.tar_gz(members, "package", 0))


def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, npm: Npm) -> Path:
    monkeypatch.setattr(shell, "run", npm)
    monkeypatch.setattr(npm_pack.shutil, "which", lambda *_, **__: "/npm")
    npm_pack.pack([PACKAGE], tmp_path, tmp_path / "stage", tmp_path / "out", {}, Log(0))
    return tmp_path / "out" / PACKAGE.file


def test_a_tarball_goes_to_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pack(tmp_path, monkeypatch, Npm()).is_file()
    assert (tmp_path / "stage" / "user.npmrc").read_text() == ""


@pytest.mark.parametrize(
    ("npm", "said"),
    [
        (Npm(without="bin/run"), "left out bin/run and added nothing"),
        (Npm(extra=".npmrc"), "left out nothing and added .npmrc"),
        (Npm(silent=True), "npm pack made no a-1.0.0.tgz"),
    ],
)
def test_other_content_than_planned_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, npm: Npm, said: str
) -> None:
    with pytest.raises(CheckFailed, match=said):
        pack(tmp_path, monkeypatch, npm)
    assert not (tmp_path / "out").exists()


def test_files_are_laid_out_with_fixed_modes(tmp_path: Path) -> None:
    parts.lay_out(PARTS, tmp_path, tmp_path / "x")
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "x").rglob("*") if p.is_file()}
    assert modes == {"package.json": 0o644, "run": 0o755, "page": 0o644}
    assert (tmp_path / "x" / "page").read_bytes() == b"\x1f\x8b"


def test_a_missing_tool_is_told(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path)}
    with pytest.raises(ToolError, match="npm"):
        npm_pack.pack([PACKAGE], tmp_path, tmp_path, tmp_path, nowhere, Log(0))
    with pytest.raises(ToolError, match="nfpm"):
        nfpm_pack.pack(PACKAGE, tmp_path, tmp_path, tmp_path / "x.deb", nowhere, 0, Log(0))
    with pytest.raises(ToolError, match="Python"):
        zstd_pack.pack(b"", tmp_path / "tar", tmp_path / "x.tar.zst", nowhere)
