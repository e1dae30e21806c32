"""`rva audit` of wheels: tags against binaries, RECORD, names, leaks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from rva.audit import claims, registries, wheels
from rva.inspect.machine import Machine

from .conftest import VERSION, Files, Reply, audit, said, serving, whl

TAGS = {
    "manylinux_2_17_x86_64": "x86_64-unknown-linux-gnu",
    "manylinux2014_aarch64": "aarch64-unknown-linux-gnu",
    "manylinux_2_17_armv7l": "armv7-unknown-linux-gnueabihf",
    "musllinux_1_2_x86_64": "x86_64-unknown-linux-musl",
    "musllinux_1_1_aarch64": "aarch64-unknown-linux-musl",
    "macosx_10_12_x86_64": "x86_64-apple-darwin",
    "macosx_11_0_arm64": "aarch64-apple-darwin",
    "win_amd64": "x86_64-pc-windows-msvc",
    "win_arm64": "aarch64-pc-windows-msvc",
}


def module(tag: str) -> str:
    return "thing/thing.pyd" if tag.startswith("win") else "thing/thing.abi3.so"


def faults(samples: Files, tag: str, sample: str = "", **more: bytes) -> list[str]:
    """What is said of a wheel with this tag and this binary."""
    files = {
        module(tag): samples[sample or f"{TAGS[tag]}/shared"],
        **{n.replace("__", "."): b for n, b in more.items()},
    }
    _, _, found = wheels.check(whl(files, tags=(f"cp39-abi3-{tag}",)), f"thing-{VERSION}-cp39-abi3-{tag}.whl")
    return [f"{f.check}: {f.message}" for f in found]


@pytest.mark.parametrize("tag", TAGS)
def test_the_cross_matrix_of_modules(samples: Files, tag: str) -> None:
    for other in TAGS:
        found = faults(samples, tag, f"{TAGS[other]}/shared")
        assert bool(found) == (tag != other), other
        assert all(f.startswith("wrong-binary: ") for f in found)


def test_floors(samples: Files) -> None:
    [claim] = claims.of_wheel_tags(["manylinux_2_17_x86_64"])
    for glibc, words in (
        ("2.9", []),
        ("2.17", []),
        ("2.18", ["needs glibc 2.18; the tag manylinux_2_17_x86_64 promises 2.17"]),
    ):
        assert list(claim.contradictions(Machine("linux", ("x64",), "glibc", glibc))) == words
    assert faults(samples, "manylinux_2_17_x86_64", "odd/glibc-2.34") == [
        "wrong-binary: thing/thing.abi3.so needs glibc 2.34; the tag manylinux_2_17_x86_64 promises 2.17"
    ]
    assert faults(samples, "macosx_11_0_arm64", "odd/macos-15") == [
        "wrong-binary: thing/thing.abi3.so asks for macOS 15.0 on arm64; the tag macosx_11_0_arm64 promises 11.0"
    ]
    # Both processors of a universal wheel; no macOS before 11 knows arm64.
    found = Machine("darwin", ("x64", "arm64"), macos=(("x64", "10.12"), ("arm64", "11.0")))
    [claim] = claims.of_wheel_tags(["macosx_10_12_universal2"])
    assert list(claim.contradictions(found)) == []
    one = Machine("darwin", ("x64",), macos=(("x64", "10.12"),))
    assert list(claim.contradictions(one)) == ["is for darwin x64 10.12; the tag macosx_10_12_universal2 says arm64"]
    high = Machine("darwin", ("x64", "arm64"), macos=(("x64", "10.13"), ("arm64", "12.0")))
    assert list(claim.contradictions(high)) == [
        "asks for macOS 10.13 on x64; the tag macosx_10_12_universal2 promises 10.12",
        "asks for macOS 12.0 on arm64; the tag macosx_10_12_universal2 promises 11.0",
    ]


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("manylinux1_i686", ("linux", ("ia32",), "glibc", "2.5")),
        ("manylinux2010_x86_64", ("linux", ("x64",), "glibc", "2.12")),
        ("manylinux2014_ppc64le", ("linux", ("ppc64",), "glibc", "2.17")),
        ("manylinux_2_36_riscv64", ("linux", ("riscv64",), "glibc", "2.36")),
        ("musllinux_1_2_s390x", ("linux", ("s390x",), "musl", "")),
        ("linux_x86_64", ("linux", ("x64",), "", "")),
        ("win32", ("win32", ("ia32",), "", "")),
        ("macosx_10_9_intel", ("darwin", (), "", "10.9")),
    ],
)
def test_what_a_tag_says(tag: str, wanted: tuple[object, ...]) -> None:
    [claim] = claims.of_wheel_tags([tag])
    assert (claim.os, claim.cpus, claim.libc, claim.floor) == wanted
    assert claim.by == f"the tag {tag}"


def test_no_arm64_runs_a_macos_before_its_first() -> None:
    [claim] = claims.of_wheel_tags(["macosx_9_0_arm64"])
    assert list(claim.contradictions(Machine("darwin", ("arm64",), macos=(("arm64", "11.0"),)))) == []


def test_tags_that_say_nothing_known() -> None:
    assert list(claims.of_wheel_tags(["any", "ios_13_0_arm64_iphoneos", "pyodide_2025_0_wasm32"])) == []


def test_names_tags_and_records(samples: Files) -> None:
    tag = "manylinux_2_17_x86_64"
    files = {module(tag): samples["x86_64-unknown-linux-gnu/shared"]}
    sound = whl(files, tags=(f"cp39-abi3-{tag}",))

    def said_of(data: bytes, name: str) -> list[str]:
        return [f"{f.check}: {f.message}" for f in wheels.check(data, name)[2]]

    assert said_of(sound, f"thing-{VERSION}-cp39-abi3-{tag}.whl") == []
    assert said_of(sound, f"other-{VERSION}-cp39-abi3-{tag}.whl") == [
        f"identity: METADATA says thing {VERSION}; the file name other {VERSION}"
    ]
    assert said_of(sound, f"thing-9.9-cp39-abi3-{tag}.whl") == [
        f"identity: METADATA says thing {VERSION}; the file name thing 9.9"
    ]
    words = f"WHEEL names the tags cp39-abi3-{tag}; the file name cp39-abi3-linux_x86_64"
    assert said_of(sound, f"thing-{VERSION}-cp39-abi3-linux_x86_64.whl") == [f"tags: {words}"]
    assert said_of(sound, "thing.whl")[0].startswith("identity: Invalid wheel filename")
    assert said_of(whl(files, version="x.y"), f"thing-{VERSION}-cp39-abi3-any.whl")[0].startswith(
        "identity: METADATA says thing x.y"
    )
    joined = whl(files, tags=(f"cp39-abi3-{tag}.manylinux2014_x86_64",))
    assert said_of(joined, f"thing-{VERSION}-cp39-abi3-{tag}.manylinux2014_x86_64.whl") == []
    assert said_of(whl(files, tags=("py3-none-any",)), f"thing-{VERSION}-py3-none-any.whl") == [
        "tags: is for any platform, and holds thing/thing.abi3.so"
    ]
    broken = whl(files, tags=(f"cp39-abi3-{tag}",), wrong=b"sha256=a")
    assert "record: RECORD has another hash or size" in said_of(broken, f"thing-{VERSION}-cp39-abi3-{tag}.whl")[0]


@pytest.mark.parametrize(
    ("tag", "name"),
    [("manylinux_2_17_x86_64", "thing.cpython-311-x86_64-linux-gnu.so"), ("win_amd64", "thing.cp311-win_amd64.pyd")],
)
def test_a_module_for_one_python_alone(samples: Files, tag: str, name: str) -> None:
    data = whl({name: samples[f"{TAGS[tag]}/shared"]}, tags=(f"cp39-abi3-{tag}",))
    _, _, [found] = wheels.check(data, f"thing-{VERSION}-cp39-abi3-{tag}.whl")
    assert (found.check, found.message) == ("abi3", f"{name} is for one version of Python; the tag promises abi3")


def test_lists_of_tags_and_modules(samples: Files) -> None:
    modules = {f"{n}.so": samples["x86_64-unknown-linux-gnu/shared"] for n in "abcd"}
    _, count, found = wheels.check(
        whl(modules, tags=("py3-none-any", "py2-none-any")), f"thing-{VERSION}-py3-none-any.whl"
    )
    assert count == 7
    assert [f.message for f in found] == [
        "WHEEL names the tags py2-none-any, py3-none-any; the file name py3-none-any",
        "is for any platform, and holds a.so, b.so, c.so",
    ]


def test_an_index(samples: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wheel of the version is read, and held against the index's digest."""
    tag = "manylinux_2_17_x86_64"
    name = f"thing-{VERSION}-cp39-abi3-{tag}.whl"
    data = whl({module(tag): samples["x86_64-unknown-linux-gnu/shared"]}, tags=(f"cp39-abi3-{tag}",))
    digests = {"sha256": hashlib.sha256(data).hexdigest()}
    listed = [
        {"filename": name, "url": f"/file/{name}", "hashes": digests},
        {"filename": "thing-0.1-py3-none-any.whl", "url": "/gone", "hashes": {}},
        {"filename": f"thing-{VERSION}.tar.gz", "url": "/gone", "hashes": {}},
        {"filename": "nonsense.whl", "url": "/gone", "hashes": {}},
    ]

    def answer(path: str) -> Reply:
        if path == "/simple/thing/":
            return 200, json.dumps({"files": listed}).encode()
        return (200, data) if path == f"/file/{name}" else (404, b"")

    with serving(answer) as address:
        monkeypatch.setattr(registries, "python_address", lambda: f"{address}simple")
        found = audit(f"pypi:Thing=={VERSION}")
        assert said(found) == [] and [p.name for p in found] == [name]
        assert "missing-package: the index has no wheel of thing 7.0" in said(audit("pypi:thing==7.0"))[0]
        assert "the index has no package other" in said(audit("pypi:other==1"))[0]
        digests["sha256"] = "0" * 64
        assert (
            "integrity: the file has not the digest that the index gives for it"
            in said(audit(f"pypi:thing=={VERSION}"))[0]
        )
        listed[0]["url"] = "/gone"
        assert "missing-package: the registry describes it" in said(audit(f"pypi:thing=={VERSION}"))[0]


def test_files_of_this_machine(samples: Files, tmp_path: Path) -> None:
    tag = "win_amd64"
    path = tmp_path / f"thing-{VERSION}-cp39-abi3-{tag}.whl"
    path.write_bytes(whl({module(tag): samples["aarch64-pc-windows-msvc/shared"]}, tags=(f"cp39-abi3-{tag}",)))
    assert said(audit(str(path))) == [
        f"{path.name}: wrong-binary: thing/thing.pyd is for win32 arm64; the tag win_amd64 says x64"
    ]
    path.write_bytes(b"PK\x03\x04nonsense")
    assert said(audit(str(path)))[0].startswith(f"{path.name}: archive: not a sound zip archive")
