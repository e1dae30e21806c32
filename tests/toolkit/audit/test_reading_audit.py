"""What `rva audit` is asked for, what it fetches and how much, and packages that lie on this machine."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from rva import report, shell
from rva.audit import reading as audited_files
from rva.audit import registries, specs
from rva.audit.specs import Spec
from rva.audited import Audit
from rva.errors import NetworkError, ToolError, UsageError
from rva.registries import reading

from .conftest import (
    MAIN,
    PLATFORMS,
    VERSION,
    Files,
    Registry,
    audit,
    main_package,
    platform_package,
    said,
    serving,
    tgz,
)

SECRETS = {
    "an npm token": b"npm_" + b"a1B2" * 9,
    "a GitHub token": b"ghp_" + b"a1B2" * 9,
    "a GitLab token": b"glpat-" + b"a1B2c" * 4,
    "a PyPI token": b"pypi-AgEI" + b"a1B2" * 15,
    "a crates.io token": b"cio" + b"a1B2" * 8,
    "an AWS key": b"AKIA" + b"ABCD" * 4,
    "a private key": b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + b"a1B2" * 30,
    "an npm password": b"//registry.example/:_authToken=abc",
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("npm:thing@1.2.3", Spec("npm", "thing", "1.2.3")),
        ("npm:@a/thing@1.2.3-rc.1", Spec("npm", "@a/thing", "1.2.3-rc.1")),
        ("npm:@a/thing", Spec("npm", "@a/thing", "latest")),
        ("pypi:Thing.x==1.2.3rc1", Spec("pypi", "Thing.x", "1.2.3rc1")),
        (".", Spec("path", ".")),
    ],
)
def test_words_of_the_command_line(text: str, wanted: Spec) -> None:
    assert specs.parse(text) == wanted


@pytest.mark.parametrize(
    "text", ["npm:", "npm:@a", "npm:../x", "npm:a@b/c", "pypi:thing", "pypi:a==../b", "/gone/away", "npm:-g"]
)
def test_words_that_name_nothing(text: str) -> None:
    with pytest.raises(UsageError, match=r"names no package|does not exist"):
        specs.parse(text)


@pytest.mark.parametrize("what", SECRETS)
def test_secrets(samples: Files, tmp_path: Path, what: str) -> None:
    path = tmp_path / "thing.tgz"
    path.write_bytes(tgz({**main_package(optionalDependencies={}), "a.txt": b"x = '" + SECRETS[what] + b"'\n"}))
    assert said(audit(str(path))) == [
        f"{MAIN}: secret: a.txt holds {what} (byte {24 if what == 'an npm password' else 5})"
    ]


@pytest.mark.parametrize("text", [b"npm_config_registry", b"npm_" + b"a" * 50, b"-----BEGIN PRIVATE KEY-----\n", b"xAKIA" + b"A" * 16, b":_authToken=${TOKEN}"])  # fmt: skip
def test_what_only_looks_like_a_secret(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "thing.tgz"
    path.write_bytes(tgz({**main_package(optionalDependencies={}), "a.txt": text}))
    assert said(audit(str(path))) == []


def test_files_of_passwords(tmp_path: Path) -> None:
    path = tmp_path / "thing.tgz"
    path.write_bytes(tgz({**main_package(optionalDependencies={}), ".npmrc": b"x=1\n"}))
    assert said(audit(str(path))) == [f"{MAIN}: secret: .npmrc holds what its name says: settings with passwords"]


def test_places_of_the_building_machine(samples: Files, tmp_path: Path) -> None:
    homes = b"".join(b"\0/home/me/%d/x" % i for i in range(5))
    path = tmp_path / "thing.node"
    path.write_bytes(samples["x86_64-unknown-linux-gnu/shared"] + homes)
    [warning] = said(audit(str(path)), "warning")
    assert warning.endswith("holds paths of the building machine: /home/me/0, /home/me/1, /home/me/2 and 2 more")


def test_a_folder_of_packages(samples: Files, tmp_path: Path) -> None:
    (tmp_path / "main.tgz").write_bytes(tgz(main_package()))
    for key in PLATFORMS:
        (tmp_path / f"{key}.tgz").write_bytes(tgz(platform_package(samples, key)))
    assert said(audit(str(tmp_path))) == said(audit(str(tmp_path)), "warning") == []
    (tmp_path / "win32-x64-msvc.tgz").unlink()
    [warning] = said(audit(str(tmp_path)), "warning")
    assert f"asks for {MAIN}-win32-x64-msvc, which do not lie beside it" in warning
    (tmp_path / "win32-x64-msvc.tgz").write_bytes(tgz(platform_package(samples, "win32-x64-msvc", version="9.0.0")))
    assert said(audit(str(tmp_path))) == [
        f"{MAIN}: version-skew: asks for {MAIN}-win32-x64-msvc@{VERSION}; 9.0.0 lies beside it"
    ]


def test_an_unpacked_package(tmp_path: Path) -> None:
    for name, body in main_package(optionalDependencies={}, main="gone.js").items():
        (tmp_path / name).write_bytes(body)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "bad.node").write_bytes(b"none")
    assert [f for f in said(audit(str(tmp_path))) if "types" not in f] == [
        f"{MAIN}: file-absent: main names gone.js, which is not in the package"
    ]
    (tmp_path / "package.json").write_bytes(b"{")
    assert "archive: package.json cannot be read" in said(audit(str(tmp_path)))[0]


def test_other_archives_and_binaries(samples: Files, tmp_path: Path) -> None:
    path = tmp_path / "thing-1.0.crate"
    path.write_bytes(tgz({"src/lib.rs": b"", "id_rsa": b"x"}, "thing-1.0"))
    assert "secret: id_rsa" in said(audit(str(path)))[0]
    program = tmp_path / "program"
    program.write_bytes(samples["aarch64-apple-darwin/executable"])
    assert audit(str(program))[0].holds == ("darwin arm64 11.0",)
    program.write_bytes(program.read_bytes()[:5000])
    assert "damaged: program: truncated" in said(audit(str(program)))[0]
    program.write_bytes(b"text")
    with pytest.raises(UsageError, match="is no package that rva can read"):
        audit(str(program))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no package"):
        audit(str(tmp_path / "empty"))


@pytest.mark.parametrize("triple", [spec[0] for spec in PLATFORMS.values()])
def test_the_cross_matrix_of_archives(samples: Files, tmp_path: Path, triple: str) -> None:
    """An archive of programs or libraries whose name says for which system: 9 x 8, all refused."""
    path = tmp_path / f"thing-1.0-{triple}.tar.gz"
    for other, *_ in PLATFORMS.values():
        path.write_bytes(tgz({"lib/libthing.so": samples[f"{other}/shared"]}, "thing-1.0"))
        found = audit(str(path))[0].findings
        assert {f.check for f in found} == (set() if other == triple else {"wrong-binary"}), other


def test_limits_of_files_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "thing.tgz"
    path.write_bytes(bytes(101))
    monkeypatch.setattr(audited_files, "MOST_BYTES", 100)
    with pytest.raises(UsageError, match="has more than 100 bytes"):
        audit(str(path))


def test_a_folder_of_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audited_files, "_MOST_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}").write_bytes(b"")
    with pytest.raises(UsageError) as caught:
        audit(str(tmp_path))
    assert str(caught.value) == f"{tmp_path} holds more than 2 files"


def test_a_version_that_is_none() -> None:
    with pytest.raises(UsageError, match="'x-y!' is no version of a Python package"):
        registries.wheels("http://127.0.0.1:1/simple", "thing", "x-y!")


def test_limits_of_what_is_fetched(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 100)
    with pytest.raises(NetworkError, match="sends more than 100 bytes"):
        audit(f"npm:{MAIN}@{VERSION}")
    monkeypatch.setattr(reading, "MOST_BYTES", 10_000)
    monkeypatch.setattr(reading, "MOST_S", -1.0)
    with pytest.raises(NetworkError, match="takes longer than"):
        audit(f"npm:{MAIN}@{VERSION}")


def test_a_registry_in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    status, body = 500, b""

    def answer(_path: str) -> tuple[int, bytes]:
        return status, body

    with serving(answer) as address:
        monkeypatch.setattr(registries, "npm_address", lambda _scope: address)
        with pytest.raises(NetworkError, match=r"127\.0\.0\.1 could not be asked for /thing/1.0.0"):
            audit("npm:thing@1.0.0")
        status = 401
        with pytest.raises(ToolError, match="wants a password, which rva does not use"):
            audit("npm:thing@1.0.0")
        status = 200
        for reply, words in (
            (b"<html>", "thing/1.0.0 is no JSON"),
            (b"[]", "thing/1.0.0 is no object"),
            (b"{}", "names no file"),
            (b'{"dist": {"tarball": "file:///etc/passwd"}}', "names a file at file:"),
        ):
            body = reply
            with pytest.raises(NetworkError, match=words):
                audit("npm:thing@1.0.0")
    with pytest.raises(NetworkError, match="could not be asked"):
        audit("npm:thing@1.0.0")  # nobody listens any more


def test_a_safe_registry_names_no_unsafe_file() -> None:
    with pytest.raises(NetworkError, match="https: was wanted"):
        registries._same_kind("https://registry.example/", "http://registry.example/x")


def test_a_slow_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_path: str) -> tuple[int, bytes]:
        time.sleep(0.5)
        return 200, b"{}"

    monkeypatch.setattr(reading, "TIMEOUT_S", 0.05)
    with serving(answer) as address:
        monkeypatch.setattr(registries, "npm_address", lambda _scope: address)
        with pytest.raises(NetworkError, match="ReadTimeout"):
            audit("npm:thing@1.0.0")


def test_whose_registry_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """npm's and pip's own settings, a scope's before all others."""
    asked: dict[str, str] = {"@a:registry": "https://a.example/", "registry": "https://all.example/"}

    def run(argv: list[str], **_options: object) -> shell.Result:
        text = asked.get(argv[-1], "undefined") if "get" in argv else "global.index-url='https://pip.example/simple'\n"
        return shell.Result(tuple(argv), 0, f"{text}\n", 0.0)

    monkeypatch.setattr(shell, "run", run)
    monkeypatch.setattr(registries.shutil, "which", lambda _name: "/usr/bin/npm")
    assert registries.npm_address("@a") == "https://a.example/"
    assert registries.npm_address("@b") == registries.npm_address("") == "https://all.example/"
    asked.clear()
    assert registries.npm_address("") == "https://registry.npmjs.org/"
    monkeypatch.setattr(registries.shutil, "which", lambda _name: None)
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://env.example/")
    assert registries.npm_address("") == "https://env.example/"
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert registries.python_address() == "https://pip.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://env.example/simple")
    assert registries.python_address() == "https://env.example/simple"


@pytest.mark.parametrize(
    ("digest", "right"),
    [
        ("", True),
        ("sha1-" + "f" * 40, False),
        ("sha1-a9993e364706816aba3e25717850c26c9cd0d89d", True),
        ("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", True),
        ("sha256:00", False),
        ("sha384-unknown", True),
    ],
)
def test_digests(digest: str, right: bool) -> None:
    assert registries.matches(registries.Remote("x", "", digest), b"abc") is right


def test_the_table(registry: Registry) -> None:
    del registry.packages[f"{MAIN}-darwin-x64", VERSION]
    made = Audit(audit(f"npm:{MAIN}@{VERSION}"), 1.0)
    text = report.audit_table(made, colour=False, width=200)
    assert f"{MAIN}@{VERSION}" in text and "1 error" in text and "sound" in text
    assert text.endswith("\n9 packages, 1 errors; 1.0 s\n")


@pytest.mark.process
def test_the_command(root: Path, tmp_path: Path) -> None:
    """Exit status 1 and JSON for a package with errors, 0 for a sound one."""
    path = tmp_path / "thing.tgz"
    for main, code in (("gone.js", 1), ("index.js", 0)):
        path.write_bytes(tgz(main_package(optionalDependencies={}, main=main)))
        done = subprocess.run([str(root / "rva"), "audit", str(path), "--json"], capture_output=True, check=False)
        assert done.returncode == code, done.stderr
        assert json.loads(done.stdout)["packages"][0]["name"] == MAIN
