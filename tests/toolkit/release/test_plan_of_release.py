"""What is sent where and in which order; and the tokens that it is sent with."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from rva.errors import CheckFailed
from rva.model import Matrix, PackageManifest, Packed
from rva.release import plan, tokens


def packed(folder: Path, file: str, kind: str, name: str, build: str = "release") -> Packed:
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(file.encode())
    return Packed(file, kind, name, (), build, len(file), hashlib.sha256(file.encode()).hexdigest())  # type: ignore[arg-type]


def test_platform_packages_first_then_what_names_them_and_stand_ins_never(tmp_path: Path, table: Matrix) -> None:
    main = table.recipes["napi"].package
    items = [
        packed(tmp_path, "sbom/a.json", "sbom", "a.json"),
        packed(tmp_path, "npm/main.tgz", "npm", main),
        packed(tmp_path, "npm/linux.tgz", "npm", f"{main}-linux-x64-gnu"),
        packed(tmp_path, "stand-in/npm/win.tgz", "npm", f"{main}-win32-x64-msvc", "stand-in"),
        packed(tmp_path, "python/p.tar.gz", "python", "p"),
        packed(tmp_path, "python/p.whl", "python", "p"),
        packed(tmp_path, "crate/c.crate", "crate", "c"),
        packed(tmp_path, "cli/x.tar.gz", "cli", "x"),
    ]
    (tmp_path / "SHA256SUMS").write_text("sums")
    made = plan.make(PackageManifest(table.version, "c0ffee", tuple(items), ()), table, tmp_path, "notes")
    assert [u.id for u in made.uploads] == [
        "npm:linux.tgz", "cargo:c.crate", "pypi:p.whl", "pypi:p.tar.gz", "npm:main.tgz",
        "github:a.json", "github:x.tar.gz", "github:SHA256SUMS",
    ]  # fmt: skip
    assert (made.tag, made.notes, made.commit) == (f"v{table.version}", "notes", "c0ffee")
    assert made.repository.count("/") == 1
    assert made.uploads[0].integrity == plan.sri(b"npm/linux.tgz") and made.uploads[1].integrity == items[6].sha256
    assert [u.registry for u in made.only(("npm",)).uploads] == ["npm", "npm"]


def test_what_was_signed_is_published_with_its_signatures(tmp_path: Path, table: Matrix) -> None:
    items = (packed(tmp_path, "cli/x.gz", "cli", "x"),)
    for file in ("SHA256SUMS", "SHA256SUMS.sig", "provenance/cli/x.gz.intoto.jsonl"):
        packed(tmp_path, file, "sbom", file)
    made = plan.make(PackageManifest(table.version, "", items, ()), table, tmp_path)
    names = ["x.gz", "SHA256SUMS", "SHA256SUMS.sig", "x.gz.intoto.jsonl"]
    assert [u.id for u in made.uploads] == [f"github:{name}" for name in names]
    assert all((tmp_path / u.file).is_file() for u in made.uploads)


def test_two_files_of_one_name_are_refused(tmp_path: Path, table: Matrix) -> None:
    items = (packed(tmp_path, "cli/x.gz", "cli", "x"), packed(tmp_path, "c/x.gz", "c", "x"))
    with pytest.raises(CheckFailed, match="would have one name"):
        plan.make(PackageManifest(table.version, "", items, ()), table, tmp_path)


def test_tokens_are_taken_out_of_the_environment_and_never_shown() -> None:
    environ = {
        "NPM_TOKEN": "canary-npm",
        "NODE_AUTH_TOKEN": "canary-two",
        "TWINE_PASSWORD": "canary-pypi",
        "PATH": "/bin",
    }
    taken = tokens.take(environ)
    assert environ == {"PATH": "/bin"}
    assert taken.of("npm") == "canary-npm" and taken.of("pypi") == "canary-pypi" and taken.of("cargo") == ""
    assert "canary" not in repr(taken) + str(taken)
    assert taken.hide("a canary-npm b canary-pypi") == "a [token] b [token]"
    assert taken.allow("npm") and not taken.allow("cargo") and not tokens.take({}).allow("npm")
    trusted = tokens.take({tokens.TRUSTED: "https://x"})
    assert trusted.allow("npm") and trusted.allow("pypi") and not trusted.allow("cargo")
