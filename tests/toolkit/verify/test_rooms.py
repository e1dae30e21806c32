"""What each clean room asks of the system's programs, and where its consumer finds what was installed."""

from __future__ import annotations

import io
import json
import sys
import tomllib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from rva import naming, shell
from rva.errors import ToolError
from rva.model import Packed, Target
from rva.verify import rooms


class Asked(NamedTuple):
    """One command that would have been started."""

    words: str
    cwd: Path
    env: Mapping[str, str]


Make = Callable[..., rooms.Shop]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """The commands, in order; one that unpacks leaves a top folder."""
    found: list[Asked] = []

    def run(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, timeout: float) -> None:
        assert (log, timeout) == (tmp_path / "log", 300.0)
        found.append(Asked(" ".join([Path(argv[0]).name, *argv[1:]]), cwd, env))
        if "unpacked" in " ".join(argv):
            (tmp_path / "room" / "unpacked" / "top").mkdir()

    monkeypatch.setattr(shell, "run", run)
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Make:
    """A shop whose machine has every tool, and the room."""
    for name in ("npm", "cargo", "tar", "dpkg-deb", "curl", "sh"):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        path.chmod(0o755)
    (tmp_path / "room").mkdir()

    def make(**fields: object) -> rooms.Shop:
        env = {"PATH": str(tmp_path / "bin"), "HOME": "/home/me", "TOOLS": "all"}
        return rooms.Shop(tmp_path / "packages", "1.2.3-rc.1", env, tmp_path / "log", **fields)  # type: ignore[arg-type]

    return make


def packed(file: str, name: str = "thing") -> Packed:
    return Packed(file, "npm", name, (), "release", 1, "0")


def test_a_command_is_at_home_where_it_runs(asked: list[Asked], shop: Make, tmp_path: Path) -> None:
    shop().run(["npm", "install"], tmp_path, {"TOOLS": "own"})
    shop().run(["npm", "install"], tmp_path)
    path = str(tmp_path / "bin")
    assert asked[0] == ("npm install", tmp_path, {"PATH": path, "HOME": str(tmp_path), "TOOLS": "own"})
    assert asked[1].env["TOOLS"] == "all"


def test_a_program_that_is_missing(asked: list[Asked], shop: Make, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"^zstd was not found$") as caught:
        shop().run(["zstd"], tmp_path)
    assert "`rva doctor`" in caught.value.fix
    assert asked == []


@pytest.mark.parametrize(
    ("row", "system"),
    [
        ("", ""),
        ("napi-aarch64-apple-darwin", "--os=darwin --cpu=arm64"),
        ("napi-x86_64-unknown-linux-musl", "--os=linux --cpu=x64 --libc=musl"),
    ],
)
def test_npm_takes_files_without_a_network(
    asked: list[Asked], shop: Make, tmp_path: Path, rows: dict[str, Target], row: str, system: str
) -> None:
    room, made = tmp_path / "room", shop()
    choice = [packed("npm/a.tgz", "a"), packed("npm/b.tgz", "b")]
    assert rooms.npm(packed("npm/main.tgz", "main"), choice, rows.get(row), made, room) == room
    [command] = asked
    assert command.words.startswith("npm install --ignore-scripts ")
    assert command.words.endswith(f"--offline {system}".rstrip())
    assert command.cwd == room
    folder = tmp_path / "packages" / "npm"
    assert json.loads((room / "package.json").read_text()) == {
        "private": True,
        "dependencies": {"main": f"file:{folder / 'main.tgz'}"},
        "optionalDependencies": {"a": f"file:{folder / 'a.tgz'}", "b": f"file:{folder / 'b.tgz'}"},
    }
    # Neither the user's settings nor the machine's, and no cache of theirs.
    own = {name: Path(value) for name, value in command.env.items() if name.startswith("npm_config")}
    assert own.keys() == {"npm_config_cache", "npm_config_userconfig", "npm_config_globalconfig"}
    assert {path.parent for path in own.values()} == {room} and own["npm_config_cache"].name == ".npm"
    assert own["npm_config_userconfig"].read_text() == own["npm_config_globalconfig"].read_text() == ""


def test_npm_asks_its_registry_by_name(asked: list[Asked], shop: Make, tmp_path: Path) -> None:
    room = tmp_path / "room"
    rooms.npm(packed("npm/main.tgz", "main"), [packed("npm/a.tgz", "a")], None, shop(npm="http://n/"), room)
    assert asked[0].words.endswith(" --registry=http://n/ main@1.2.3-rc.1")
    assert json.loads((room / "package.json").read_text()) == {"private": True}


@pytest.mark.parametrize("index", ["", "http://p/simple/"])
def test_pip_takes_a_wheel_for_the_rows_system(
    asked: list[Asked], shop: Make, tmp_path: Path, rows: dict[str, Target], index: str
) -> None:
    row, room = rows["native-wheel-aarch64-unknown-linux-gnu"], tmp_path / "room"
    assert rooms.python(packed("w.whl"), row, shop(python=index), room) == room / "modules"
    [command] = asked
    words = command.words.split(" ")
    assert words[0] == Path(sys.executable).name
    assert words[1].endswith("/pip") and "pip-" in words[1]
    assert words[2] == "install"
    assert {"--isolated", "--no-deps", "--implementation=cp", "--abi=abi3", f"--target={room / 'modules'}"} <= {*words}
    tags = [word for word in words if word.startswith("--platform=")]
    assert tags == [f"--platform={tag}" for tag in naming.wheel_platform(row.triple).split(".")] and len(tags) == 2
    source = ["--index-url=http://p/simple/", "thing==1.2.3rc1"]
    assert words[-3:] == [*(source if index else ["--no-index", str(tmp_path / "packages" / "w.whl")]), f"--report={room / 'pip.json'}"]  # fmt: skip
    assert command.cwd == room


def test_an_environment_of_ones_own(
    asked: list[Asked], shop: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "room"
    python = room / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    python.chmod(0o755)
    assert rooms.venv(packed("w.whl"), shop(python="http://p/simple/"), room) == room / "venv"
    make, install = asked
    assert make.words == f"{Path(sys.executable).name} -m venv {room / 'venv'}"
    assert install.words.startswith("python -m pip install ")
    assert install.words.endswith(f" --report={room / 'pip.json'} --index-url=http://p/simple/ thing==1.2.3rc1")
    assert {"--isolated", "--no-deps"} <= {*install.words.split()}
    assert make.cwd == install.cwd == room


def test_a_project_that_gets_a_crate(asked: list[Asked], shop: Make, tmp_path: Path) -> None:
    room = tmp_path / "room"
    assert rooms.cargo(packed("c.crate"), shop(cargo="sparse+http://c/"), room) == room
    assert [command.words for command in asked] == ["cargo add thing@=1.2.3-rc.1 --registry rehearsal", "cargo fetch"]
    for command in asked:
        assert (command.cwd, command.env["CARGO_HOME"]) == (room, str(room / "cargo-home"))
    # A workspace of its own, or cargo would ask the checkout around it.
    assert tomllib.loads((room / "Cargo.toml").read_text())["workspace"] == {}
    assert (room / "src" / "main.rs").read_text() == "fn main() {}\n"
    config = (room / ".cargo" / "config.toml").read_text()
    assert config == '[registries.rehearsal]\nindex = "sparse+http://c/"\n'


def test_archives_are_unpacked_by_the_systems_programs(asked: list[Asked], shop: Make, tmp_path: Path) -> None:
    room, packages = tmp_path / "room", tmp_path / "packages"
    place = room / "unpacked"
    assert rooms.unpack(packed("cli/a.tar.gz"), shop(), room) == place / "top"
    assert asked[-1] == (f"tar -xf {packages / 'cli/a.tar.gz'} -C {place}", room, asked[-1].env)
    (place / "top").rmdir()
    assert rooms.unpack(packed("system/a.deb"), shop(), room) == place / "usr" / "bin"
    assert asked[-1] == (f"dpkg-deb --extract {packages / 'system/a.deb'} {place}", room, asked[-1].env)


def test_a_published_archive_is_fetched_first(asked: list[Asked], shop: Make, tmp_path: Path) -> None:
    room = tmp_path / "room"
    rooms.unpack(packed("cli/a.tar.gz"), shop(published=True, release="http://r/1"), room)
    fetch, unpack = asked
    assert {"--fail", "--silent", "--show-error"} < {*fetch.words.split()}
    assert fetch.words.endswith(f" --location --output {room / 'a.tar.gz'} http://r/1/a.tar.gz")
    assert unpack.words == f"tar -xf {room / 'a.tar.gz'} -C {room / 'unpacked'}"
    assert fetch.cwd == unpack.cwd == room


def test_a_zip_needs_no_program(asked: list[Asked], shop: Make, tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr("top/bin/thing.exe", b"MZ")
        file.writestr("top/README.md", b"r")
    path = tmp_path / "packages" / "a.zip"
    path.parent.mkdir()
    path.write_bytes(sink.getvalue())
    top = rooms.unpack(packed("a.zip"), shop(), tmp_path / "room")
    assert top == tmp_path / "room" / "unpacked" / "top"
    assert ((top / "bin/thing.exe").read_bytes(), (top / "README.md").read_bytes()) == (b"MZ", b"r")
    assert asked == []


def test_an_installers_script_gets_its_release_and_its_place(asked: list[Asked], shop: Make, tmp_path: Path) -> None:
    room = tmp_path / "room"
    assert rooms.script(packed("install.sh"), shop(release="http://r/1"), room) == room / "bin"
    path = tmp_path / "packages" / "install.sh"
    assert asked == [(f"sh {path} --from http://r/1 --to {room / 'bin'}", room, asked[0].env)]
