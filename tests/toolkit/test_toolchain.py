"""Toolchains: what is read, decided and recorded. No test here starts a process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rva import host, resources, shell, toolchain
from rva.errors import NetworkError, ToolError, UsageError
from rva.log import Log
from rva.model import Matrix
from rva.toolchains import cargo_tools, compiler, debian, linkers, npm_tools, overlay, place, python_tools, system
from rva.toolchains.inventory import (
    ABSENCE_LASTS_S,
    Inventory,
    Site,
    Tool,
    read_absence,
    read_record,
    stamps,
    write_absence,
    write_record,
)  # fmt: skip

VERSIONS = {
    "rust": "1.96.0",
    "node": "18",
    "napi": "3.10.12",
    "maturin": "1.16.0",
    "zig": "0.17.1",
    "cargo-zigbuild": "0.24.0",
    "cargo-xwin": "0.23.1",
    "wasm-pack": "0.15.1",
    "wasm-bindgen": "0.2.129",
    "binaryen": "132.0.0",
    "cbindgen": "0.29.4",
    "wasmtime": "50.0.1",
}
MADISON = """ rustc-web | 1.96.0+dfsg1-1~deb12u2 | http://mirror/debian-security bookworm-security/main amd64 Packages
 rustc-web | 1.85.0+dfsg3-1~deb12u3 | http://mirror/debian bookworm/main amd64 Packages
"""


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a process fails the test that does it."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(shell, "run", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.delenv("RVA_RUST", raising=False)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A checkout and a cache that are empty; the tool's own lists are the checkout's."""
    monkeypatch.setattr(resources, "requirements", lambda: tmp_path / "checkout" / "requirements")
    return Site(tmp_path / "checkout", tmp_path / "cache", host.detect(), VERSIONS)


def a_tool(folder: Path, name: str = "rust", **changes: object) -> Tool:
    program = folder / "bin" / name.replace(":", "-")
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\n")
    fields: dict[str, object] = {
        "name": name, "version": "1.96.0", "path": str(program), "source": "test", "fingerprint": f"{name}-1",
        "stamps": stamps([program]),
    }  # fmt: skip
    return write_record(folder, Tool(**{**fields, **changes}))  # type: ignore[arg-type]


def load(site: Site) -> Inventory:
    return toolchain.load(site.root, site.cache, site.versions)


# Records


def test_a_record_is_read_back_while_its_files_are_unchanged(tmp_path: Path) -> None:
    tool = a_tool(tmp_path)
    assert read_record(tmp_path, "rust") == tool


def _grow(path: Path) -> None:
    path.write_text(path.read_text() + "more")


def _touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def _remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [_grow, _touch, _remove])
def test_a_record_whose_file_changed_counts_as_missing(tmp_path: Path, change: Callable[[Path], None]) -> None:
    change(Path(a_tool(tmp_path).path))
    assert read_record(tmp_path, "rust") is None


@pytest.mark.parametrize("text", ["", "{", '{"name": 1}', "[]", "\x00"])
def test_a_damaged_record_counts_as_missing(tmp_path: Path, text: str) -> None:
    a_tool(tmp_path)
    (tmp_path / "records" / "rust.json").write_text(text)
    assert read_record(tmp_path, "rust") is None


def test_an_absence_holds_for_a_day(site: Site) -> None:
    absence = write_absence(site, "msvc", "no route", "use Windows")
    assert read_absence(site, "msvc", absence.found_at + ABSENCE_LASTS_S - 1) == absence
    assert read_absence(site, "msvc", absence.found_at + ABSENCE_LASTS_S + 1) is None
    # A clock that was set back must not keep an absence for ever.
    assert read_absence(site, "msvc", absence.found_at - 1) is None


def test_an_absence_is_loaded_and_can_be_forgotten(site: Site) -> None:
    write_absence(site, "msvc", "no route", "use Windows")
    inventory = load(site)
    assert inventory.absences["msvc"].reason == "no route"
    assert not toolchain.forget_absences(inventory).absences
    assert not load(site).absences


# Loading


def test_an_empty_cache_holds_nothing(site: Site) -> None:
    inventory = load(site)
    assert inventory.tools == {}
    assert inventory.absences == {}


def _put_compiler(site: Site, way: str) -> Path:
    folder = site.shared / "rust" / f"1.96.0-{way}-r1"
    a_tool(folder, source=way, env={"PATH": str(folder / "bin")})
    a_tool(folder, "std:wasm32-wasip1")
    return folder


def test_a_compiler_of_the_cache_is_found_with_its_libraries(site: Site) -> None:
    _put_compiler(site, "debian")
    inventory = load(site)
    assert inventory.tools["rust"].source == "debian"
    assert set(inventory.tools) == {"rust", "std:wasm32-wasip1"}


def test_a_compiler_of_another_version_is_not_used(site: Site) -> None:
    _put_compiler(site, "debian")
    other = Site(site.root, site.cache, site.host, {**VERSIONS, "rust": "1.97.0"})
    assert "rust" not in load(other).tools


def test_a_compiler_that_was_replaced_is_not_used(site: Site) -> None:
    folder = _put_compiler(site, "debian")
    _grow(folder / "bin" / "rust")
    assert "rust" not in load(site).tools


def test_rva_rust_forces_a_way(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    _put_compiler(site, "rustup")
    _put_compiler(site, "debian")
    assert load(site).tools["rust"].source == "rustup"
    monkeypatch.setenv("RVA_RUST", "debian")
    assert load(site).tools["rust"].source == "debian"
    monkeypatch.setenv("RVA_RUST", "path")
    assert "rust" not in load(site).tools


def test_rva_rust_with_an_unknown_way_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RVA_RUST", "nightly; rm -rf /")
    with pytest.raises(UsageError, match="RVA_RUST"):
        load(site)


def test_python_tools_of_another_list_are_not_used(site: Site) -> None:
    lists = site.root / "requirements"
    lists.mkdir(parents=True)
    (lists / "tools.txt").write_text("maturin==1.16.0 \\\n    --hash=sha256:00\n")
    folder = python_tools._folder(site, "tools")
    a_tool(folder, "maturin")
    assert "maturin" in load(site).tools
    (lists / "tools.txt").write_text("maturin==1.16.1 \\\n    --hash=sha256:00\n")
    assert "maturin" not in load(site).tools


def test_the_napi_cli_of_another_lock_file_is_not_used(site: Site) -> None:
    folder = site.root / site.node_folder
    folder.mkdir(parents=True)
    (folder / "package-lock.json").write_text("{}")
    a_tool(site.local, "napi", version="3.10.12", detail=npm_tools._digest(folder))
    assert "napi" in load(site).tools
    (folder / "package-lock.json").write_text('{"a": 1}')
    assert "napi" not in load(site).tools


def test_crates_must_be_fetched_again_when_the_lock_file_changes(site: Site) -> None:
    lock = site.root / "Cargo.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("version = 4\n")
    a_tool(site.local, "crates", stamps=stamps([lock]))
    assert "crates" in load(site).tools
    _grow(lock)
    assert "crates" not in load(site).tools


# What is needed


def names(site: Site, *wanted: str) -> list[str]:
    return [part for fetch in toolchain.needs(wanted, load(site)) for part in fetch.name.split(", ")]


def test_what_is_ready_needs_no_fetch(site: Site) -> None:
    _put_compiler(site, "debian")
    assert names(site, "rust", "std:wasm32-wasip1") == []


def test_a_tool_brings_what_it_is_made_with(site: Site) -> None:
    assert names(site, "cbindgen") == ["rust", "cbindgen"]
    assert names(site, "std:wasm32-wasip1") == ["rust", "std:wasm32-wasip1"]
    assert names(site, "napi") == ["node", "npm", "napi"]
    assert names(site, "crates") == ["rust", "crates"]


def test_each_fetch_says_where_from_and_how_much(site: Site) -> None:
    everything = (
        "rust",
        "std:wasm32-wasip1",
        "crates",
        "zig",
        "maturin",
        "wasm-pack",
        "napi",
        "msvc",
        "libnode",
        "dev",
    )
    for fetch in toolchain.needs(everything, load(site)):
        assert fetch.source
        assert fetch.megabytes or fetch.seconds
        assert fetch.size_text != "0 MB"


def test_an_absent_tool_is_not_announced(site: Site) -> None:
    write_absence(site, "msvc", "no route", "use Windows")
    assert names(site, "msvc") == []


def test_a_tool_nobody_knows_is_an_error(site: Site) -> None:
    with pytest.raises(ToolError, match="frobnicate"):
        toolchain.provide(["frobnicate"], load(site), Log(0))


def test_a_missing_version_names_the_table(site: Site) -> None:
    bare = Site(site.root, site.cache, site.host, {})
    with pytest.raises(ToolError, match="no version for `rust`") as caught:
        toolchain.needs(["cbindgen"], Inventory(bare))
    assert "[tools]" in caught.value.fix


def _ways_tried(site: Site, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, ...]) -> list[str]:
    tried: list[str] = []

    def install(site: Site, way: str, triples: Sequence[str], log: Log) -> None:
        tried.append(way)
        if way in failing:
            raise NetworkError("`rustup` ended with exit status 1\nerror: no route to the server\nfull output: log")
        _put_compiler(site, way)

    monkeypatch.setattr(compiler, "_install", install)
    monkeypatch.setattr(debian, "is_possible", lambda: True)
    toolchain.provide(["rust"], load(site), Log(0))
    return tried


def test_rustup_is_tried_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ways_tried(site, monkeypatch, ()) == ["rustup"]


def test_debian_steps_in_where_rustup_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ways_tried(site, monkeypatch, ("rustup",)) == ["rustup", "debian"]
    noted = read_absence(site, "rustup")
    assert noted is not None
    assert noted.reason == "error: no route to the server"


def test_a_forced_way_has_no_substitute(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RVA_RUST", "rustup")
    with pytest.raises(NetworkError, match="no route"):
        _ways_tried(site, monkeypatch, ("rustup",))


def test_an_unreachable_rustup_is_not_asked_again_the_same_day(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    write_absence(site, "rustup", "no route", "")
    assert _ways_tried(site, monkeypatch, ()) == ["debian"]


def test_an_sdk_out_of_reach_becomes_an_absence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    if site.host.os == "win32":
        pytest.skip("Windows links for msvc itself")
    monkeypatch.setattr(linkers, "unreachable", lambda _: "ConnectError: no route")
    # Neither the SDK nor a library that only it could link is fetched: no process may start here.
    inventory = toolchain.provide(["msvc", "std:x86_64-pc-windows-msvc"], load(site), Log(0))
    assert "no route" in inventory.absences["msvc"].reason
    assert inventory.absences["msvc"].fix
    assert "msvc" in load(site).absences


def test_a_closed_port_is_out_of_reach() -> None:
    assert "Error" in linkers.unreachable("http://127.0.0.1:9/")


# Environment


def test_the_compiler_stands_first_on_path(site: Site) -> None:
    rust = Tool(name="rust", version="1", path="", source="", fingerprint="", env={"PATH": "/rust"})
    zig = Tool(name="zig", version="1", path="", source="", fingerprint="", env={"PATH": "/zig", "ZIG": "1"})
    env = toolchain.environment(Inventory(site).with_tools(zig, rust), ("zig", "absent", "rust"))
    assert env["PATH"].split(os.pathsep)[:2] == ["/rust", "/zig"]
    assert env["ZIG"] == "1"


def test_tools_without_needs_leave_the_environment_alone(site: Site) -> None:
    assert toolchain.environment(Inventory(site), ("rust",)) == {}


# Choosing among what a registry offers


def test_any_debian_revision_of_the_version_serves() -> None:
    assert debian.pick_revision(MADISON, "1.96.0") == "1.96.0+dfsg1-1~deb12u2"
    assert debian.pick_revision(MADISON, "1.85.0") == "1.85.0+dfsg3-1~deb12u3"


@pytest.mark.parametrize("version", ["1.95.0", "1.90.1", "1.9"])
def test_a_newer_compiler_serves_once_debian_has_moved_on(version: str) -> None:
    assert debian.pick_revision(MADISON, version) == "1.96.0+dfsg1-1~deb12u2"


@pytest.mark.parametrize("version", ["1.96.1", "11.96.0", "1.97.0"])
def test_no_older_version_does(version: str) -> None:
    with pytest.raises(ToolError, match=r"rustc-web: 1\.96\.0\+dfsg1-1~deb12u2, 1\.85\.0"):
        debian.pick_revision(MADISON, version)


def test_a_system_without_the_package_says_so() -> None:
    with pytest.raises(ToolError, match="none"):
        debian.pick_revision("", "1.96.0")


def test_llvm_is_the_one_the_compiler_depends_on() -> None:
    assert debian.pick_llvm("libstd-rust-web-1.96\n  Depends: libc6\n  Depends: libllvm22\n") == "22"
    with pytest.raises(ToolError, match="LLVM"):
        debian.pick_llvm("libstd-rust-web-1.96\n  Depends: libc6\n")


def test_only_registry_crates_are_looked_for() -> None:
    text = """
version = 4
[[package]]
name = "here"
version = "0.1.0"
[[package]]
name = "libm"
version = "0.2.16"
source = "registry+https://github.com/rust-lang/crates.io-index"
"""
    assert cargo_tools.locked(text) == ["libm-0.2.16"]


# Python lists


def test_pins_are_read_from_a_hashed_list() -> None:
    text = 'Maturin==1.16.0 \\\n    --hash=sha256:00\n# note==1\nx-y==2 ; sys_platform == "win32" \\\n'
    assert python_tools.pins(text) == {"maturin": "1.16.0", "x-y": "2"}


def test_a_list_that_disagrees_with_the_table_is_refused(site: Site) -> None:
    lists = site.root / "requirements"
    lists.mkdir(parents=True)
    good = "ziglang==0.17.1\ncargo-zigbuild==0.24.0\nmaturin==1.16.0\nwasmtime==50.0.1\ncargo-xwin==0.23.1\n"
    (lists / "tools.txt").write_text(good)
    assert python_tools.check_pins(site)["maturin"] == "1.16.0"
    (lists / "tools.txt").write_text(good.replace("maturin==1.16.0", "maturin==1.15.0"))
    with pytest.raises(ToolError, match=r"maturin 1\.15\.0.*asks for 1\.16\.0"):
        python_tools.check_pins(site)


def test_a_missing_list_is_a_clear_error(site: Site) -> None:
    with pytest.raises(ToolError, match=r"tools\.txt"):
        python_tools.check_pins(site)


# Places


def test_a_folder_is_whole_or_absent(tmp_path: Path) -> None:
    final = tmp_path / "tool"

    def fail(part: Path) -> None:
        (part / "half").write_text("x")
        raise ToolError("no")

    with pytest.raises(ToolError):
        place.make_folder(final, fail)
    assert list(tmp_path.iterdir()) == []
    place.make_folder(final, lambda part: (part / "whole").write_text("x") and None)
    assert [p.name for p in final.iterdir()] == ["whole"]


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    stale = tmp_path / ".rva-part-1-tool"
    stale.mkdir()
    place.make_folder(tmp_path / "tool", lambda part: None)
    assert not stale.exists()


# The project's own lists


def test_the_lists_have_the_versions_of_the_table(table: Matrix, root: Path) -> None:
    assert python_tools.check_pins(Site(root, root, host.detect(), table.tools))
    node = json.loads((root / "bindings/node" / "package-lock.json").read_text())
    assert node["packages"]["node_modules/@napi-rs/cli"]["version"] == table.tools["napi"]
    wasm_opt = json.loads((root / npm_tools.WASM_OPT_FOLDER / "package-lock.json").read_text())
    assert wasm_opt["packages"]["node_modules/binaryen"]["version"] == table.tools["binaryen"]
    crates = tomllib.loads((root / "Cargo.lock").read_text())["package"]
    bindgen = [p["version"] for p in crates if p["name"] == "wasm-bindgen"]
    assert bindgen == [table.tools["wasm-bindgen"]]


def test_no_list_names_a_server(root: Path) -> None:
    for path in [*(root / "requirements").glob("*.txt"), root / npm_tools.WASM_OPT_FOLDER / "package-lock.json"]:
        text = path.read_text()
        assert "--index-url" not in text
        assert "resolved" not in text
        assert "http://" not in text
        assert "https://" not in text


def test_every_python_requirement_is_hashed(root: Path) -> None:
    for path in (root / "requirements").glob("*.txt"):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if "==" in line and not line.startswith(("#", " ")):
                assert lines[number + 1].strip().startswith("--hash=sha256:"), f"{path.name}: {line}"


def test_every_way_is_a_word_that_rva_rust_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ("rustup", "debian", "path"):
        monkeypatch.setenv("RVA_RUST", way)
        assert compiler.forced() == way


# Packages of the system


def test_packages_that_a_system_does_not_offer_are_known() -> None:
    policy = "gcc:\n  Installed: 4\n  Candidate: 4\nchromium:\n  Installed: (none)\n  Candidate: (none)\nmusl:\n  Candidate: 1.2\n"
    assert system.candidates(policy) == {"gcc", "musl"}


def artifact(name: str, folder: str) -> str:
    """What cargo says of a finished crate."""
    said = {
        "reason": "compiler-artifact",
        "target": {"name": name},
        "filenames": [f"/x/target/{folder}/deps/lib{name}.rlib"],
    }
    return json.dumps(said)


def test_each_standard_library_that_is_done_is_told() -> None:
    stream = io.StringIO()
    progress = overlay._Progress(["wasm32-wasip1", "aarch64-apple-darwin"], Log(1, stream))
    for line in (
        "   Compiling core v0.0.0",
        artifact("build-script-build", "release"),
        artifact("core", "aarch64-apple-darwin"),
        artifact("std", "aarch64-apple-darwin"),
        json.dumps({"reason": "build-finished", "success": True}),
        artifact("std", "wasm32-wasip1"),
    ):
        progress.line(line)
    assert stream.getvalue().splitlines() == [
        "  standard library 1 of 2: aarch64-apple-darwin",
        "  standard library 2 of 2: wasm32-wasip1",
    ]
    # What is shown now and then in a pipe, and always on a terminal.
    verbose = io.StringIO()
    overlay._Progress(["wasm32-wasip1"], Log(2, verbose)).line(artifact("core", "wasm32-wasip1"))
    assert verbose.getvalue() == "std from source: crate 1, core for wasm32-wasip1\n"
