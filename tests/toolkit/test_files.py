"""Files are whole or absent; content has one digest; templates are strict; the host is known without a process."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import sys
from pathlib import Path

import pytest
from rva import content, files, host
from rva.errors import DiskError, InternalError
from rva.render import render


def test_write_makes_folders_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    files.write(path, "one")
    files.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["b"]


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_text("old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:3])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskError, match="the disk is full"):
        files.write(path, "something new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_copy_sets_the_mode(tmp_path: Path) -> None:
    source = tmp_path / "s"
    source.write_text("x")
    source.chmod(0o600)
    files.copy(source, tmp_path / "d" / "run", executable=True)
    files.copy(source, tmp_path / "d" / "read", executable=False)
    if os.name == "posix":
        assert (tmp_path / "d" / "run").stat().st_mode & 0o777 == 0o755
        assert (tmp_path / "d" / "read").stat().st_mode & 0o777 == 0o644
    with pytest.raises(DiskError):
        files.copy(tmp_path / "gone", tmp_path / "d" / "x", executable=False)
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["read", "run"]


def test_moving_a_folder_that_another_run_made_first(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    files.move_folder(tmp_path / "first", tmp_path / "deep" / "place")
    files.move_folder(tmp_path / "second", tmp_path / "deep" / "place")
    assert (tmp_path / "deep" / "place" / "x").read_text() == "first"
    assert not (tmp_path / "second").exists()
    with pytest.raises(DiskError):
        files.move_folder(tmp_path / "gone", tmp_path / "other")


def test_remove_takes_the_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "x").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    files.remove(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "precious" / "x").exists()
    files.remove(tmp_path / "precious")
    files.remove(tmp_path / "precious")
    assert list(tmp_path.iterdir()) == []


def test_make_folder_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("x")
    assert list(files.make_folder(tmp_path / "a").iterdir()) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(DiskError):
        files.make_folder(tmp_path / "file" / "below")


def tree(root: Path) -> Path:
    for name in (
        "core/src/lib.rs",
        "core/Cargo.toml",
        "core/target/x",
        "core/.hidden",
        "core/src/pkg/y",
        "core/a.node",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / ".gitignore").write_text("target/\n*.node\n")
    (root / "core" / ".gitignore").write_text("/src/pkg\n")
    return root


def sources(root: Path, path: str = "core") -> list[str]:
    return [p.relative_to(root).as_posix() for p in content.files(root / path, root)]


def test_sources_are_what_git_would_not_ignore(tmp_path: Path) -> None:
    tree(tmp_path)
    assert sources(tmp_path) == ["core/Cargo.toml", "core/src/lib.rs"]
    assert sources(tmp_path, "core/src") == ["core/src/lib.rs"]
    assert sources(tmp_path, "core/Cargo.toml") == ["core/Cargo.toml"]
    (tmp_path / "core/target").rename(tmp_path / "core/src/dist")
    assert "core/src/dist/x" in sources(tmp_path)  # no name is left out that .gitignore does not name


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_among_the_sources(tmp_path: Path) -> None:
    """A link to a file counts as that file; links in circles and to nowhere are passed over."""
    tree(tmp_path)
    (tmp_path / "LICENSE").write_text("text")
    (tmp_path / "core/LICENSE").symlink_to("../LICENSE")
    for name in ("a", "b", "c"):
        (tmp_path / "core/src" / name).symlink_to("..")
    (tmp_path / "core/gone").symlink_to("nowhere")
    assert sources(tmp_path) == ["core/Cargo.toml", "core/LICENSE", "core/src/lib.rs"]
    first = digest(tmp_path)
    (tmp_path / "LICENSE").write_text("changed")
    assert digest(tmp_path) != first


def digest(root: Path, path: str = "core") -> str:
    return content.Digests(root).of(path)


def test_a_digest_follows_content_and_names_alone(tmp_path: Path) -> None:
    tree(tmp_path)
    first = digest(tmp_path)
    os.utime(tmp_path / "core/src/lib.rs", (1, 1))
    (tmp_path / "core/target/x").write_text("built anew")
    (tmp_path / "core/.hidden").write_text("an editor's")
    assert digest(tmp_path) == first
    (tmp_path / "core/src/lib.rs").write_text("changed")
    second = digest(tmp_path)
    (tmp_path / "core/src/lib.rs").rename(tmp_path / "core/src/new.rs")
    third = digest(tmp_path)
    (tmp_path / "core/src/empty.rs").write_text("")
    fourth = digest(tmp_path)
    assert len({first, second, third, fourth}) == 4


def test_moving_bytes_between_files_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core/a").write_text("xy")
    (tmp_path / "core/b").write_text("")
    first = digest(tmp_path)
    (tmp_path / "core/a").write_text("x")
    (tmp_path / "core/b").write_text("y")
    assert digest(tmp_path) != first


def test_a_digest_does_not_depend_on_the_place(tmp_path: Path) -> None:
    tree(tmp_path / "one")
    tree(tmp_path / "two")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_key_depends_on_every_part(tmp_path: Path) -> None:
    digests = content.Digests(tree(tmp_path))
    keys = {
        content.key({"a": 1}, ["core"], digests),
        content.key({"a": 2}, ["core"], digests),
        content.key({"b": 1}, ["core"], digests),
        content.key({"a": 1}, ["core/src"], digests),
        content.key({"a": 1}, ["core", "core/src"], digests),
    }
    assert len(keys) == 5
    assert content.key({"a": 1, "b": 2}, ["core", "core/src"], digests) == content.key(
        {"b": 2, "a": 1}, ["core/src", "core", "core"], digests
    )


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert content.sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_render(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text("a {{ x }}\n{% if y %}\nyes\n{% endif %}\n")
    assert render(tmp_path, "t.j2", {"x": "<&>", "y": True}) == "a <&>\nyes\n"
    with pytest.raises(InternalError, match=r"UndefinedError: 'y' is undefined"):
        render(tmp_path, "t.j2", {"x": 1})
    with pytest.raises(InternalError, match="TemplateNotFound"):
        render(tmp_path, "gone.j2", {})
    (tmp_path / "t.j2").write_text("{% if %}")
    with pytest.raises(InternalError, match="TemplateSyntaxError"):
        render(tmp_path, "t.j2", {})


def test_the_projects_templates_render(root: Path) -> None:
    values = {"name": "n", "description": "d", "url": "u", "version": "1.2.3", "library": "l"}
    for system, libc in (("linux", "glibc"), ("linux", "musl"), ("darwin", "none"), ("win32", "msvc")):
        text = render(root / "templates", "pkgconfig.pc.j2", {**values, "os": system, "libc": libc})
        assert "Version: 1.2.3\n" in text and "-ll\n" in text


@pytest.mark.parametrize(
    ("system", "machine", "libc", "triple"),
    [
        ("linux", "x86_64", "glibc", "x86_64-unknown-linux-gnu"),
        ("linux", "aarch64", "", "aarch64-unknown-linux-musl"),
        ("linux", "armv7l", "glibc", "armv7-unknown-linux-gnueabihf"),
        ("linux", "riscv64", "glibc", "riscv64-unknown-linux-gnu"),
        ("darwin", "arm64", "", "aarch64-apple-darwin"),
        ("darwin", "x86_64", "", "x86_64-apple-darwin"),
        ("win32", "AMD64", "", "x86_64-pc-windows-msvc"),
        ("win32", "ARM64", "", "aarch64-pc-windows-msvc"),
    ],
)
def test_hosts(monkeypatch: pytest.MonkeyPatch, system: str, machine: str, libc: str, triple: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, "2.36"))
    found = host.detect()
    assert found.triple == triple
    assert found.cpus >= 1


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RVA_CACHE_DIR", "here")
    assert host.cache_dir() == tmp_path / "here"
    monkeypatch.delenv("RVA_CACHE_DIR")
    assert host.cache_dir().is_absolute() and host.cache_dir().name == "rva"


def test_the_root_is_the_nearest_folder_with_a_matrix(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert host.find_root(deep) == deep
    (tmp_path / "platforms.toml").write_text("")
    assert host.find_root(deep) == tmp_path


def test_a_folder_is_gone_before_its_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed while it removes leaves nothing of the folder under its name."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        files.remove(folder)
    assert not folder.exists() and [p.name.startswith(files.PART) for p in tmp_path.iterdir()] == [True]
