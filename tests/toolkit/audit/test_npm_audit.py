"""`rva audit` of npm packages: sound ones pass, each fault is named."""

from __future__ import annotations

import json

import pytest
from rva.audit import javascript, npm
from rva.inspect.sniff import FormatError

from .conftest import MAIN, PLATFORMS, VERSION, Files, Registry, audit, main_package, platform_package, said
from .conftest import npm as package

SPEC = f"npm:{MAIN}@{VERSION}"
LINUX = f"{MAIN}-linux-x64-gnu"


def test_a_sound_package_with_all_its_platforms(registry: Registry) -> None:
    found = audit(SPEC)
    assert said(found) == said(found, "warning") == []
    assert [p.name for p in found] == [MAIN, *(f"{MAIN}-{key}" for key in PLATFORMS)]
    assert found[1].holds == ("linux x64 glibc 2.2.5",)
    assert {p.word for p in found} == {"sound"}
    assert audit(f"npm:{MAIN}")[0].version == VERSION


def test_a_package_that_is_not_there(registry: Registry) -> None:
    assert said(audit("npm:nothing@1.0.0")) == ["nothing: missing-package: the registry has no package of this name"]
    assert said(audit(f"npm:{MAIN}@9.0.0")) == [
        f"{MAIN}: missing-package: the registry has no version 9.0.0, only {VERSION}"
    ]


def test_a_platform_package_that_was_not_published(registry: Registry) -> None:
    del registry.packages[LINUX, VERSION]
    name = f"{MAIN}-darwin-x64"
    registry.packages[name, "1.0.0"] = registry.packages.pop((name, VERSION))
    words = f"asks for {LINUX}@{VERSION}: the registry has no package of this name"
    assert said(audit(SPEC)) == [
        f"{MAIN}: missing-package: {words}",
        f"{MAIN}: missing-package: asks for {name}@{VERSION}: the registry has no version {VERSION}, only 1.0.0",
    ]


@pytest.mark.parametrize("key", PLATFORMS)
def test_the_cross_matrix_of_binaries(samples: Files, key: str) -> None:
    """Each platform's addon in each other's package: 9 x 8, all refused; each in its own passes."""
    for other, (triple, *_) in PLATFORMS.items():
        files = platform_package(samples, key, binary=samples[f"{triple}/shared"])
        _, findings = npm.check(files, f"{MAIN}-{key}", VERSION)
        assert {f.check for f in findings} == (set() if key == other else {"wrong-binary"}), other


def test_fields_that_contradict_the_name(samples: Files, registry: Registry) -> None:
    registry.add(platform_package(samples, "linux-x64-gnu", os=["win32"], cpu=["arm64"], libc=["musl"]))
    faults = said(audit(f"npm:{LINUX}@{VERSION}"))
    for word in ("os of package.json says win32", "cpu of package.json says arm64", "libc of package.json says musl"):
        assert any(word in fault and "contradicts-name" in fault for fault in faults)
    assert any("wrong-binary: thing.linux-x64-gnu.node is for linux x64 glibc 2.2.5" in fault for fault in faults)


def test_a_name_alone_is_a_promise(registry: Registry, samples: Files) -> None:
    binary = samples["aarch64-apple-darwin/shared"]
    registry.add(platform_package(samples, "linux-x64-gnu", binary=binary, os=[], cpu=[], libc=[]))
    assert said(audit(f"npm:{LINUX}@{VERSION}")) == [
        f"{LINUX}: wrong-binary: thing.linux-x64-gnu.node is for darwin arm64 11.0; its name says linux"
    ]


def test_a_static_program_may_say_glibc(registry: Registry, samples: Files) -> None:
    """It runs there as well, so it is only worth a look."""
    binary = samples["x86_64-unknown-linux-musl/executable"]
    registry.add(platform_package(samples, "linux-x64-gnu", binary=binary))
    found = audit(f"npm:{LINUX}@{VERSION}")
    assert said(found) == []
    for by, warning in zip(("package.json", "its name"), said(found, "warning"), strict=True):
        assert warning.endswith(f"is static, so it runs beside any C library; {by} says glibc")


def test_no_libc_field(registry: Registry, samples: Files) -> None:
    registry.add(platform_package(samples, "linux-x64-gnu", libc=[]))
    [warning] = said(audit(f"npm:{LINUX}@{VERSION}"), "warning")
    assert "no-libc: it is for glibc and has no libc field" in warning


def test_a_package_without_its_binary(registry: Registry, samples: Files) -> None:
    name = f"thing.{'linux-x64-gnu'}.node"
    files = platform_package(samples, "linux-x64-gnu")
    del files[name]
    registry.add(files)
    assert said(audit(f"npm:{LINUX}@{VERSION}")) == [
        f"{LINUX}: file-absent: main names {name}, which is not in the package",
        f"{LINUX}: no-binary: its name means linux x64, and it holds no program, library or addon",
    ]
    registry.add({**files, name: b"version https://git-lfs.github.com/spec/v1\n"})
    assert said(audit(f"npm:{LINUX}@{VERSION}"))[0].endswith("is no program, library or addon of any system")
    registry.add({**files, name: samples["x86_64-unknown-linux-gnu/shared"][:900]})
    assert said(audit(f"npm:{LINUX}@{VERSION}"))[0].startswith(f"{LINUX}: damaged: {name}: ")


def test_versions_that_differ(registry: Registry, samples: Files) -> None:
    wanted = {f"{MAIN}-{key}": VERSION for key in PLATFORMS}
    name = f"{MAIN}-darwin-x64"
    registry.add(platform_package(samples, "darwin-x64", version="1.0.0"))
    registry.add(main_package(optionalDependencies={**wanted, name: "1.0.0"}))
    assert said(audit(SPEC)) == [f"{MAIN}: version-skew: is version {VERSION} and asks for {name} 1.0.0"]
    registry.add(main_package(optionalDependencies={LINUX: "^1.0.0"}))
    assert any("by the range '^1.0.0'; an exact version was wanted" in w for w in said(audit(SPEC), "warning"))
    # Another project's packages have versions of their own.
    registry.add(platform_package(samples, "linux-x64-gnu", name="@other/lib-linux-x64-gnu", version="8.0.0"))
    registry.add(main_package(optionalDependencies={"@other/lib-linux-x64-gnu": "8.0.0", "fsevents": "~2.3.2"}))
    assert said(audit(SPEC)) == []


def test_what_is_inside_is_what_was_asked_for(registry: Registry, samples: Files) -> None:
    registry.add(platform_package(samples, "linux-x64-gnu", version="9.9.9"), version=VERSION)
    words = f"package.json says {LINUX}@9.9.9; {LINUX}@{VERSION} was wanted"
    assert said(audit(f"npm:{LINUX}@{VERSION}")) == [f"{LINUX}: identity: {words}"]


def test_a_file_of_another_digest(registry: Registry) -> None:
    registry.digests[LINUX, VERSION] = "x" * 86 + "=="
    assert said(audit(f"npm:{LINUX}@{VERSION}")) == [
        f"{LINUX}: integrity: the file has not the digest that the registry gives for it"
    ]


def test_types_that_name_what_is_not_there(registry: Registry, samples: Files) -> None:
    types = b"export declare function addUnique(): void\nexport class Gone {}\nexport interface Shape { x: number }\n"
    files = main_package(optionalDependencies={LINUX: VERSION})
    registry.add({**files, "index.d.ts": types, "index.js": b"exports.addUnique = 1\n"})
    assert said(audit(SPEC)) == [f"{MAIN}: types: index.d.ts declares Gone, which index.js does not export"]
    # What the script exports is known only when it runs: then a name has to stand somewhere, if in a binary.
    hidden = {**files, "index.d.ts": types, "index.js": b"module.exports = require(pick())\n"}
    registry.add(hidden)
    assert said(audit(SPEC)) == [
        f"{MAIN}: types: index.d.ts declares Gone, addUnique, which stands in no script or binary of the package and its platforms"
    ]
    binary = samples["x86_64-unknown-linux-gnu/shared"] + b"\0addUnique\0Gone\0"
    registry.add(platform_package(samples, "linux-x64-gnu", binary=binary))
    assert said(audit(SPEC)) == []
    registry.add(platform_package(samples, "linux-x64-gnu"))
    registry.add(
        {
            **main_package(optionalDependencies={LINUX: VERSION}, dependencies={"other": "1"}),
            "index.d.ts": types,
            "index.js": hidden["index.js"],
        }
    )
    assert said(audit(SPEC)) == [] and len(said(audit(SPEC), "warning")) == 1


def test_a_module_and_its_types(registry: Registry, samples: Files) -> None:
    types = b"/* tslint:disable */\nexport const memory: WebAssembly.Memory;\nexport const gone: () => void;\n"
    files = {**main_package(optionalDependencies={}), "thing.wasm": samples["wasi/command"], "thing.wasm.d.ts": types}
    registry.add(files)
    assert said(audit(SPEC)) == [f"{MAIN}: types: thing.wasm.d.ts declares gone, which the module does not export"]
    registry.add({**files, "thing.wasm": samples["wasi/command"][:50]})
    assert "damaged: thing.wasm: " in said(audit(SPEC))[0]


def test_an_archive_that_cannot_be_read(registry: Registry) -> None:
    registry.packages[MAIN, VERSION] = b"\x1f\x8bnonsense"
    assert "archive: not a sound .tar.gz archive" in said(audit(SPEC))[0]
    for files, fault in (
        ({"index.js": b""}, "package.json is missing"),
        ({"package.json": b"{"}, "package.json cannot be read"),
        ({"package.json": b"[]"}, "package.json is no object"),
    ):
        with pytest.raises(FormatError, match=fault):
            npm.manifest(files)


DECLARED = """
// export function no(): void
/* export class No {} */
import { Thing } from './thing'
export type { Type } from './types'
export interface Shape { inner(): void; export: string }
export type Kind = 'a' | 'b'
export declare function one(a: { x: number }): void
export declare function one(): void
export abstract class Two { method(): void }
export const three: number, alsoThree: string
export declare const enum Inlined { A }
export enum Four { A = 1 }
declare namespace Space { export function inside(): void }
declare class Five {}
declare function six(): void
export { Five, six as seven, Thing, type Kind as Sort }
export * from './more'
export default class Eight {}
"""


def test_names_that_types_declare() -> None:
    assert javascript.declared(DECLARED) == {"one", "Two", "three", "Four", "Five", "seven"}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("exports.a = 1; module.exports.b = 2", {"a", "b"}),
        ("export function a() {}\nexport async function b() {}\nexport class C {}\nexport const d = 1", {"a", "b", "C", "d"}),
        ("export { a, b as c, }; export * as d from './d.js'", {"a", "c", "d"}),
        ("export { a, type B }", {"a"}),
        ("export function* gen() {}", {"gen"}),
        ("// exports.no = 1\nexports.yes = 'https://x' // no", {"yes"}),
        ("if (exports.a == 1) exports.b = 2", {"b"}),
        ("module.exports = require(x); module.exports.a = 1", None),
        ("export * from './more.js'; export const a = 1", None),
        ("exports[name] = 1; exports.a = 1", None),
        ("Object.assign(module.exports, x)", None),
        ("fill(exports); exports.a = 1", None),
        ("Object.defineProperty(exports, 'a', {}); exports.b = 1", None),
        ("export const { a } = x", None),
        ("exports = module.exports; exports.a = 1", None),
        ("let x = 1", None),
        ("exports.a = 1;" + "x" * 3000, None),
    ],
)  # fmt: skip
def test_names_that_scripts_export(source: str, names: set[str] | None) -> None:
    assert javascript.exported(source) == names


def test_entries_are_optional() -> None:
    """A package of files alone, such as types or an icon set, has nothing to be held against."""
    files = package({"name": "a", "version": "1.0.0"}, {"icon.svg": b"<svg/>"})
    assert npm.check(files, "a", "1.0.0") == ([], [])
    assert npm.platforms(json.loads(files["package.json"])) == {}
