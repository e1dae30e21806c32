"""What a package says of itself, against what is in it: each rule from both sides, without a registry."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rva.audit import claims, content, npm, specs
from rva.audit.claims import Claim
from rva.errors import UsageError
from rva.inspect.machine import Machine

from .conftest import Files

LINUX = Machine("linux", ("x64",), "glibc", "2.17", needed=("libc.so.6",))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("thing-linux-x64-gnu", ("linux", ("x64",), "glibc")),
        ("@maker/thing-linux-arm64-musl", ("linux", ("arm64",), "musl")),
        ("@maker/thing.linux.arm.gnueabihf", ("linux", ("arm",), "glibc")),
        ("thing-linux-arm-musleabihf", ("linux", ("arm",), "musl")),
        ("thing_darwin_arm64", ("darwin", ("arm64",), "")),
        ("@thing/win32-ia32-msvc", ("win32", ("ia32",), "")),
        ("thing-win32-x64-gnu", ("win32", ("x64",), "")),  # MinGW's, no C library of Linux
        ("thing-linux-x64", ("linux", ("x64",), "")),
        ("thing-linux-x64-other", ("linux", ("x64",), "")),
        ("freebsd-x64", ("freebsd", ("x64",), "")),
        ("a-openharmony-arm64", ("openharmony", ("arm64",), "")),
        ("linux-x64-linux-arm64", ("linux", ("x64",), "")),
        ("thing-linux", None),
        ("thing-x64-linux", None),
        ("thing-linux-wasm32", None),
        ("", None),
    ],
)
def test_what_an_npm_name_says(name: str, wanted: tuple[str, tuple[str, ...], str] | None) -> None:
    found = claims.of_npm_name(name)
    assert (found and (found.os, found.cpus, found.libc)) == wanted
    assert found is None or (found.by, found.floor) == ("its name", "")


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, None),
        ({"os": [], "cpu": [], "libc": []}, None),
        ({"os": ["linux", "darwin"], "cpu": ["x64", "arm64"]}, None),
        ({"os": ["!win32"]}, None),
        ({"os": ["any"], "cpu": "any"}, None),
        ({"os": [1], "cpu": {"x64": 1}}, None),
        ({"os": ["linux"]}, ("linux", (), "")),
        ({"cpu": "x64"}, ("", ("x64",), "")),
        ({"libc": ["musl"]}, ("", (), "musl")),
        ({"os": "win32", "cpu": ["arm64"]}, ("win32", ("arm64",), "")),
    ],
)
def test_what_the_fields_of_a_package_say(
    fields: dict[str, Any], wanted: tuple[str, tuple[str, ...], str] | None
) -> None:
    found = claims.of_npm_fields(fields)
    assert (found and (found.os, found.cpus, found.libc)) == wanted
    assert found is None or found.by == "package.json"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("thing-1.0-x86_64-unknown-linux-gnu.tar.gz", ("linux", ("x64",), "glibc")),
        ("thing-aarch64-unknown-linux-musl.zip", ("linux", ("arm64",), "musl")),
        ("armv7-unknown-linux-gnueabihf", ("linux", ("arm",), "glibc")),
        ("thing-aarch64-apple-darwin.tgz", ("darwin", ("arm64",), "")),
        ("thing-x86_64-pc-windows-msvc.zip", ("win32", ("x64",), "")),
        ("thing-x86_64-unknown-none-elf.zip", None),
        ("thing-1.0.tar.gz", None),
        ("thing-x86_64-apple-ios.tar.gz", None),
    ],
)
def test_what_an_archives_name_says(name: str, wanted: tuple[str, tuple[str, ...], str] | None) -> None:
    found = claims.of_triple(name)
    assert (found and (found.os, found.cpus, found.libc)) == wanted
    assert found is None or found.by == "its name"


@pytest.mark.parametrize(
    ("claim", "found", "said"),
    [
        (Claim("it"), LINUX, []),
        (Claim("it", "linux", ("x64",), "glibc", "2.17"), LINUX, []),
        (Claim("it", "darwin", ("arm64",)), LINUX, ["is for linux x64 glibc 2.17; it says darwin"]),
        (Claim("it", "", ("arm64",)), LINUX, ["is for linux x64 glibc 2.17; it says arm64"]),
        (Claim("it", "linux", ("arm64", "arm")), LINUX, ["is for linux x64 glibc 2.17; it says arm64 and arm"]),
        (Claim("it", "", (), "musl"), LINUX, ["is for linux x64 glibc 2.17; it says musl"]),
        (Claim("it", "", (), "musl"), Machine("linux", ("x64",)), []),  # static
        (Claim("it", "linux", ("x64",), "", "2.16"), LINUX, ["needs glibc 2.17; it promises 2.16"]),
        (Claim("it", "win32", ("x64",), "", "1"), Machine("win32", ("x64",), glibc="2.17"), []),
        (
            Claim("it", "darwin", ("x64",), "", "10.9"),
            Machine("darwin", ("x64", "arm64"), macos=(("arm64", "12.0"),)),
            [],
        ),
    ],
)
def test_a_binary_against_a_claim(claim: Claim, found: Machine, said: list[str]) -> None:
    assert list(claim.contradictions(found)) == said


@pytest.mark.parametrize(
    ("name", "loaded"),
    [
        ("a.node", True), ("lib/a.so", True), ("a.so.1.2", True), ("a.dylib", True), ("a.dll", True), ("a.exe", True),
        ("a.pyd", True), ("bin/tool", True), ("a.txt", False), ("test.bin", False), ("x.so.d/a.txt", False),
    ],
)  # fmt: skip
def test_names_of_what_is_loaded_or_started(name: str, loaded: bool) -> None:
    assert content.loaded(name) is loaded
    [finding] = content.against([Claim("it", "darwin")], {name: LINUX})
    assert (finding.level, finding.check) == ("error" if loaded else "warning", "wrong-binary")


def test_the_same_is_said_once(samples: Files) -> None:
    both = [Claim("a", "darwin"), Claim("b", "win32"), Claim("c", "linux", (), "musl")]
    found = [f.message for f in content.against(both, {"x.node": LINUX, "y.node": LINUX})]
    assert found == [
        "x.node is for linux x64 glibc 2.17; a says darwin",
        "y.node is for linux x64 glibc 2.17; a says darwin",
    ]


@pytest.mark.parametrize(
    ("claim", "found", "warned"),
    [
        (Claim("it", "linux", (), "glibc"), Machine("linux", ("x64",)), True),
        (Claim("it", "linux", (), "glibc"), Machine("linux", ("x64",), needed=("libm.so",)), False),
        (Claim("it", "linux", (), "musl"), Machine("linux", ("x64",)), False),
        (Claim("it", "linux", (), "glibc"), LINUX, False),
        (Claim("it", "darwin", (), "glibc"), Machine("darwin", ("x64",)), False),
    ],
)
def test_static_programs_that_say_glibc(claim: Claim, found: Machine, warned: bool) -> None:
    assert [(f.level, f.check) for f in content.against([claim], {"a": found})] == [("warning", "static")] * warned


def test_binaries_that_cannot_be_read(samples: Files) -> None:
    whole = samples["x86_64-unknown-linux-gnu/shared"]
    mac = samples["aarch64-apple-darwin/shared"]
    changed = mac[:5000] + b"\xff" + mac[5001:]
    files = {
        "a.txt": b"text", "a.js": b"", "b.node": b"text", "c.pyd": b"", "d.node": whole[:900], "e.node": whole,
        "f.node": changed, "g": whole[:900],
    }  # fmt: skip
    found, faults = content.binaries(files)
    assert found.keys() == {"e.node", "f.node"}
    said = [(f.check, f.message.split(": ")[0]) for f in faults]
    none = "is no program, library or addon of any system"
    assert said == [("no-binary", f"b.node {none}"), ("no-binary", f"c.pyd {none}"), ("damaged", "d.node"),
                    ("signature", "f.node"), ("damaged", "g")]  # fmt: skip
    assert {f.level for f in faults} == {"error"}


@pytest.mark.parametrize(
    ("homes", "said"),
    [
        ([], ""),
        ([b"/home/me/x"], "/home/me/x"),
        ([b"/Users/me/x", b"/home/me/x", b"/home/me/x"], "/Users/me/x, /home/me/x"),
        ([b"C:\\Users\\me\\x"], "C:\\Users\\me\\x"),
        ([b"/home/%d/x" % i for i in range(3)], "/home/0/x, /home/1/x, /home/2/x"),
        ([b"/home/%d/x" % i for i in range(4)], "/home/0/x, /home/1/x, /home/2/x and 1 more"),
        ([b"/home/", b"/home/me", b"/homes/me/x"], ""),
    ],
)
def test_homes_in_binaries(homes: list[bytes], said: str) -> None:
    body = b"\x7fELF\0" + b"\0".join(homes)
    found = [(f.level, f.check, f.message) for f in content.leaks({"a": body, "a.txt": body[4:]})]
    assert found == ([("warning", "path", f"a holds paths of the building machine: {said}")] if said else [])


@pytest.mark.parametrize(
    ("main", "wanted"),
    [
        ({}, {}),
        ({"name": "a", "optionalDependencies": []}, {}),
        ({"name": "a", "optionalDependencies": {"a-x": "1", "b": "1", "ab": "1"}}, {"a-x": "1"}),
        ({"name": "a", "optionalDependencies": {"@b/c-linux-x64": 1}}, {"@b/c-linux-x64": "1"}),
        ({"optionalDependencies": {"b-win32-x64": "1", "b": "1"}}, {"b-win32-x64": "1"}),
    ],
)
def test_which_packages_are_for_one_platform(main: dict[str, Any], wanted: dict[str, str]) -> None:
    assert npm.platforms(main) == wanted


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("1.2.3", ""), ("1.2.4", "error"), ("1.2.3-rc.1", "error"), ("1.2.3+build", "error"), ("^1.2.3", "warning"),
        ("1.2", "warning"), ("1.2.x", "warning"), ("latest", "warning"), (">=1.2.3", "warning"),
    ],
)  # fmt: skip
def test_versions_of_platform_packages(version: str, level: str) -> None:
    main = {"name": "a", "version": "1.2.3", "optionalDependencies": {"a-linux-x64": version, "b-linux-x64": "9"}}
    assert [(f.level, f.check) for f in npm.skew(main)] == ([(level, "version-skew")] if level else [])


def package(files: Files | None = None, **fields: Any) -> Files:
    own = {"name": "a", "version": "1.0.0", **fields}
    return {"package.json": json.dumps(own).encode(), **(files or {})}


def names(count: int) -> bytes:
    return "".join(f"export const n{i}: number\n" for i in range(count)).encode()


@pytest.mark.parametrize(
    ("files", "fields", "said"),
    [
        ({"t.d.ts": names(1), "index.js": b"exports.n0 = 1"}, {}, ""),
        (
            {"t.d.ts": names(1), "index.js": b"exports.other = 1"},
            {},
            "t.d.ts declares n0, which index.js does not export",
        ),
        (
            {"t.d.ts": names(1), "m.cjs": b"exports.other = 1"},
            {"main": "./m.cjs"},
            "t.d.ts declares n0, which m.cjs does not",
        ),
        (
            {"t.d.ts": names(1), "m.js": b"exports.other = 1"},
            {"main": "m"},
            "t.d.ts declares n0, which m.js does not export",
        ),
        ({"t.d.ts": names(8), "index.js": b"exports.other = 1"}, {}, "declares n0, n1, n2, n3, n4, n5, n6, n7, which"),
        (
            {"t.d.ts": names(10), "index.js": b"exports.other = 1"},
            {},
            "n6, n7 and 2 more, which index.js does not export",
        ),
        ({"t.d.ts": names(1)}, {}, "t.d.ts declares n0, which stands in no script or binary"),
        ({"t.d.ts": names(1), "x.mjs": b"n0"}, {}, ""),
        ({"t.d.ts": names(1), "x.wasm": b"n0"}, {}, ""),
        ({"t.d.ts": names(1), "x.txt": b"n0"}, {}, "stands in no script or binary of the package and its platforms"),
        ({}, {}, ""),
    ],
)
@pytest.mark.parametrize("field", ["types", "typings"])
def test_types_against_scripts(files: Files, fields: dict[str, Any], said: str, field: str) -> None:
    found = list(npm.types(package(files, **{field: "t.d.ts", **fields}), []))
    assert [(f.level, f.check) for f in found] == ([("error", "types")] if said else [])
    assert all(said in f.message for f in found)


def test_names_that_another_package_may_bring() -> None:
    files = {"t.d.ts": names(1)}
    assert list(npm.types(package(files, types="t.d.ts"), [{"any": b"..n0.."}])) == []
    [finding] = npm.types(package(files, types="t.d.ts", dependencies={"b": "1"}), [{"any": b""}])
    assert finding.level == "warning"
    known = {**files, "index.js": b"exports.other = 1"}
    [finding] = npm.types(package(known, types="t.d.ts", dependencies={"b": "1"}), [])
    assert finding.level == "error"


@pytest.mark.parametrize(
    ("fields", "files", "said"),
    [
        ({"main": "gone.js"}, (), ["main names gone.js"]),
        ({"main": "./lib"}, (), ["main names ./lib"]),
        ({"main": "index"}, ("index.js",), []),
        ({"main": "./"}, ("index.js",), []),
        ({"types": "./index"}, ("index.d.ts",), []),
        ({"module": "gone.mjs"}, (), ["module names gone.mjs"]),
        ({"types": "gone.d.ts"}, (), ["types names gone.d.ts"]),
        ({"browser": "./gone.js"}, (), ["browser names ./gone.js"]),
        ({"bin": "gone.js"}, (), ["bin names gone.js"]),
        ({"exports": "./gone.js"}, (), ["exports names ./gone.js"]),
        (
            {"exports": {".": {"import": "./gone.mjs", "require": "./i.js"}}},
            ("i.js",),
            ["exports...import names ./gone.mjs"],
        ),
        ({"exports": {".": {"types": "./gone.d.ts"}}}, (), ["exports...types names ./gone.d.ts"]),
        ({"exports": {"./*": "./*.js", "./x": None, ".": "./i.js"}}, ("i.js",), []),
        ({"typings": "gone.d.ts"}, (), ["typings names gone.d.ts"]),
        ({"main": 1, "types": None, "bin": {"a": 1, "b": "gone"}}, (), ["bin.b names gone"]),
        ({"bin": []}, (), []),
        ({"types": "t"}, ("t.js",), ["types names t"]),
        ({"main": "t"}, ("t.d.ts",), ["main names t"]),
        ({"main": "lib"}, ("lib/index.json",), []),
        ({"main": "lib"}, ("lib/package.json",), []),
        ({"main": "lib/"}, ("lib/other.txt",), []),
        ({"main": "lib"}, ("lib/other.txt",), ["main names lib"]),
        ({"main": "."}, ("index.node",), []),
        ({"types": "."}, ("index.d.ts",), []),
        ({"types": "."}, ("index.js",), ["types names ."]),
        ({"exports": {"types": "./t", "default": "./t"}}, ("t.ts",), ["exports.default names ./t"]),
        ({"exports": {"./typesafe": "./t"}}, ("t.d.ts",), ["exports../typesafe names ./t"]),
        ({"exports": [[], "./gone.js"]}, (), []),
        ({"exports": ["./gone.js", "./here.js"]}, ("here.js",), ["exports names ./gone.js"]),
        ({"exports": []}, (), []),
        ({"exports": "gone.js"}, (), []),  # no path: it has to begin with ./
        ({"exports": {"./x*": "./gone.js", "./y": "./gone*.js"}}, (), []),
    ],
)
def test_files_that_a_package_names(fields: dict[str, Any], files: tuple[str, ...], said: list[str]) -> None:
    _, findings = npm.check(package(dict.fromkeys(files, b""), **fields), "a", "1.0.0")
    wanted = [f"{words}, which is not in the package" for words in said]
    assert [f.message for f in findings if f.check == "file-absent"] == wanted


@pytest.mark.parametrize(
    ("name", "version", "wrong"),
    [("a", "1.0.0", False), ("", "", False), ("b", "", True), ("", "2.0.0", True), ("b", "1.0.0", True), ("a", "2.0.0", True)],
)  # fmt: skip
def test_a_package_by_its_outside(name: str, version: str, wrong: bool) -> None:
    _, findings = npm.check(package(), name, version)
    words = f"package.json says a@1.0.0; {name}@{version} was wanted"
    assert [(f.level, f.check, f.message) for f in findings] == [("error", "identity", words)] * wrong


@pytest.mark.parametrize(
    ("fields", "binary", "said"),
    [
        ({"name": "a-linux-x64-gnu", "os": ["linux"], "libc": ["glibc"]}, True, []),
        ({"name": "a-linux-x64-gnu"}, True, []),
        ({"name": "a-linux-x64-gnu", "os": ["linux"]}, True, ["no-libc"]),
        ({"name": "a-linux-x64", "os": ["linux"]}, True, []),
        ({"name": "a-linux-x64-gnu", "cpu": ["x64"]}, True, []),
        ({"name": "a-linux-x64-gnu"}, False, ["no-binary"]),
        ({"name": "a", "os": ["linux"]}, False, []),
        ({"name": "a-linux-x64", "os": ["darwin"]}, False, ["contradicts-name", "no-binary"]),
        ({"name": "a-linux-x64", "cpu": ["arm64"]}, False, ["contradicts-name", "no-binary"]),
        ({"name": "a-linux-x64-gnu", "libc": ["musl"]}, False, ["contradicts-name", "no-binary"]),
    ],
)
def test_the_package_of_one_platform(samples: Files, fields: dict[str, Any], binary: bool, said: list[str]) -> None:
    files = {"a.node": samples["x86_64-unknown-linux-gnu/shared"]} if binary else {}
    holds, findings = npm.check(package(files, **fields), "", "")
    assert [f.check for f in findings] == said
    assert holds == ["linux x64 glibc 2.2.5"] * binary
    assert {f.level for f in findings} <= {"error"} or said == ["no-libc"]


def test_a_module_may_take_a_programs_place(samples: Files) -> None:
    module = samples["wasi/command"]
    assert npm.check(package({"a.wasm": module}, name="a-linux-x64"), "", "") == ([], [])
    types = names(9) + b"export const memory: object\n"
    [finding] = npm.check(package({"a.wasm": module, "a.wasm.d.ts": types}), "", "")[1]
    listed = ", ".join(f"n{i}" for i in range(8))
    assert finding.message == f"a.wasm.d.ts declares {listed}, which the module does not export"
    [finding] = npm.check(package({"a.wasm": b"none", "b.wasm": module}), "", "")[1]
    assert (finding.check, finding.message) == ("damaged", "a.wasm: not a WebAssembly module of version 1")


@pytest.mark.parametrize(
    ("word", "fix"),
    [("npm:", "write npm:NAME@VERSION, "), ("/gone/away", "for a published package write npm:NAME@VERSION")],
)
def test_advice_for_a_word_that_names_nothing(word: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        specs.parse(word)
    assert caught.value.fix.startswith(fix)
    assert word in caught.value.what
