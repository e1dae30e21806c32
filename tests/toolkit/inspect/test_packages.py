"""Wheels, Python source packages and crates: sound ones pass, each broken promise is named."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rva import naming
from rva.inspect import tarball, unpack, wheel
from rva.inspect.sniff import FormatError
from rva.model import Matrix

Inspect = Callable[..., tuple[str, ...]]
Samples = dict[str, bytes]
Files = dict[str, bytes]

TRIPLES = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "armv7-unknown-linux-gnueabihf",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
)
LINUX = TRIPLES[0]
INFO = "ruvector_attention-{version}.dist-info"


def wheel_files(table: Matrix, samples: Samples, triple: str, version: str = "") -> Files:
    """The files of a sound wheel, RECORD left out."""
    folder = INFO.format(version=version or table.version)
    tags = "".join(f"Tag: cp39-abi3-{p}\n" for p in naming.wheel_platform(triple).split("."))
    ending = "pyd" if "windows" in triple else "abi3.so"
    return {
        f"ruvector_attention/ruvector_attention.{ending}": samples[f"{triple}/shared"],
        "ruvector_attention/__init__.py": b"from .ruvector_attention import *\n",
        f"{folder}/METADATA": f"Metadata-Version: 2.4\nName: ruvector-attention\nVersion: {table.version}\n".encode(),
        f"{folder}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n{tags}".encode(),
        f"{folder}/licenses/LICENSE-MIT": b"MIT\n",
        f"{folder}/licenses/LICENSE-APACHE": b"Apache\n",
    }


def record(files: Files) -> str:
    """RECORD for these files."""
    lines = []
    for name, body in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(body)}\n")
    return "".join(lines)


def pack_wheel(files: Files, *, lines: str | None = None) -> bytes:
    """The files and their RECORD as a zip archive."""
    folder = next((n.split("/")[0] for n in files if ".dist-info/" in n), "none.dist-info")
    text = (record(files) if lines is None else lines) + f"{folder}/RECORD,,\n"
    return zipped({**files, f"{folder}/RECORD": text.encode()})


def zipped(files: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


def tarred(files: Files, folder: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}" if folder else name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


@pytest.fixture
def wheel_faults(inspect: Inspect, table: Matrix) -> Callable[..., tuple[str, ...]]:
    def run(data: bytes, triple: str = LINUX, name: str = "") -> tuple[str, ...]:
        file = name or naming.wheel("ruvector-attention", table.version, triple)
        return inspect(data, "wheel", f"native-wheel-{triple}", name=file, forbidden=(b"/home/me/checkout",))

    return run


@pytest.mark.parametrize("triple", TRIPLES)
def test_a_sound_wheel(wheel_faults: Inspect, table: Matrix, samples: Samples, triple: str) -> None:
    assert wheel_faults(pack_wheel(wheel_files(table, samples, triple)), triple) == ()


@pytest.mark.parametrize("triple", TRIPLES)
def test_the_cross_matrix_of_modules(wheel_faults: Inspect, table: Matrix, samples: Samples, triple: str) -> None:
    """Every other platform's module inside a wheel that is right otherwise."""
    for other in TRIPLES:
        if other != triple:
            files = wheel_files(table, samples, triple)
            module = next(n for n in files if n.endswith((".so", ".pyd")))
            files[module] = samples[f"{other}/shared"]
            assert wheel_faults(pack_wheel(files), triple), f"{other} passed inside a wheel for {triple}"


@pytest.mark.parametrize("triple", TRIPLES)
def test_another_platforms_wheel(wheel_faults: Inspect, table: Matrix, samples: Samples, triple: str) -> None:
    for other in TRIPLES:
        if other != triple:
            name = naming.wheel("ruvector-attention", table.version, other)
            faults = wheel_faults(pack_wheel(wheel_files(table, samples, other)), triple, name)
            assert any(f.startswith(f"the file is called {name}") for f in faults)
            assert any(re.fullmatch(r"WHEEL names the tags \S+.*; \S+.* were wanted", f) for f in faults)


def test_a_stand_in_wheel(inspect: Inspect, table: Matrix, samples: Samples) -> None:
    triple = "x86_64-pc-windows-msvc"
    data = pack_wheel(wheel_files(table, samples, triple))
    name = f"ruvector_attention-{table.version}-cp39-abi3-win_amd64.whl"
    row = f"native-wheel-{triple}"
    assert inspect(data, "wheel", row, name=name, triple="x86_64-pc-windows-gnullvm") == ()


def change(files: Files, ending: str, old: bytes, new: bytes) -> Files:
    name = next(n for n in files if n.endswith(ending))
    assert old in files[name]
    return {**files, name: files[name].replace(old, new)}


@pytest.mark.parametrize(
    ("ending", "old", "new", "fault"),
    [
        ("/WHEEL", b"cp39-abi3-manylinux_2_17_x86_64", b"cp39-abi3-manylinux_2_34_x86_64", "WHEEL names the tags"),
        ("/WHEEL", b"Purelib: false", b"Purelib: true", "WHEEL calls it pure Python"),
        ("/METADATA", b"Version: 0", b"Version: 9", "its version is '9"),
        ("/METADATA", b"Name: ruvector", b"Name: other", "its name is 'other-attention'"),
        ("/__init__.py", b"import *", b"import * # /home/me/checkout/x", "holds the path '/home/me/checkout'"),
        ("abi3.so", b"PyInit_ruvector_attention", b"PyInit_ruvector_attentio2", "does not export PyInit_"),
    ],
)
def test_a_wheel_with_one_wrong_word(
    wheel_faults: Inspect, table: Matrix, samples: Samples, ending: str, old: bytes, new: bytes, fault: str
) -> None:
    files = change(wheel_files(table, samples, LINUX), ending, old, new)
    faults = wheel_faults(pack_wheel(files))
    assert len(faults) == 1 and fault in faults[0]


def test_a_forbidden_path_inside_the_compressed_module(wheel_faults: Inspect, table: Matrix, samples: Samples) -> None:
    files = wheel_files(table, samples, LINUX)
    module = next(n for n in files if n.endswith(".so"))
    files[module] += b"/home/me/checkout/core/src/lib.rs"
    [fault] = wheel_faults(pack_wheel(files))
    assert fault.startswith(f"{module} holds the path")


def test_record(wheel_faults: Inspect, table: Matrix, samples: Samples) -> None:
    files = wheel_files(table, samples, LINUX)
    right = record(files)
    init = "ruvector_attention/__init__.py"
    assert wheel_faults(pack_wheel(files, lines=right + "gone.py,sha256=x,1\n")) == (
        "RECORD names 'gone.py', which is not there",
    )
    without = "".join(line for line in right.splitlines(True) if not line.startswith(init))
    assert wheel_faults(pack_wheel(files, lines=without)) == (f"RECORD does not name {init!r}",)
    changed = pack_wheel({**files, init: b"changed\n"}, lines=right)
    assert wheel_faults(changed) == (f"RECORD has another hash or size for {init!r} than the file",)


def test_missing_parts_of_a_wheel(wheel_faults: Inspect, table: Matrix, samples: Samples) -> None:
    files = wheel_files(table, samples, LINUX)

    def without(ending: str) -> tuple[str, ...]:
        return wheel_faults(pack_wheel({n: b for n, b in files.items() if not n.endswith(ending)}))

    assert "METADATA is missing" in without("/METADATA")[0]
    assert "WHEEL is missing" in without("/WHEEL")[0]
    assert without("LICENSE-MIT") == ("the licence text LICENSE-MIT is missing",)
    assert without("LICENSE-APACHE") == ("the licence text LICENSE-APACHE is missing",)
    assert without(".so") == ("one compiled module was wanted; found none",)
    assert wheel_faults(zipped(files)) == (f"{INFO.format(version=table.version)}/RECORD is missing",)
    assert wheel_faults(zipped({"a.py": b""})) == ("one .dist-info folder was wanted, found 0",)
    assert wheel_faults(zipped({**files, "other-1.dist-info/WHEEL": b"x"}))[0].endswith("found 2")


def test_the_modules_name(wheel_faults: Inspect, table: Matrix, samples: Samples) -> None:
    files = wheel_files(table, samples, LINUX)
    module = next(n for n in files if n.endswith(".so"))
    other = {n: b for n, b in files.items() if n != module}
    named = pack_wheel(
        {**other, "ruvector_attention/ruvector_attention.cpython-311-x86_64-linux-gnu.so": files[module]}
    )
    assert "does not end as an abi3 module" in wheel_faults(named)[0]
    two = pack_wheel({**files, "ruvector_attention/second.abi3.so": files[module]})
    assert wheel_faults(two)[0] == f"one compiled module was wanted; found {module}, ruvector_attention/second.abi3.so"


def test_a_wheels_metadata_must_be_text(wheel_faults: Inspect, table: Matrix, samples: Samples) -> None:
    files = change(wheel_files(table, samples, LINUX), "/METADATA", b"Name", b"\xff\xfe")
    assert "is not UTF-8 text" in wheel_faults(pack_wheel(files))[0]


def test_the_budget(wheel_faults: Inspect, table: Matrix, samples: Samples) -> None:
    files = wheel_files(table, samples, LINUX)
    budget = table.recipes["wheel"].budget["wheel"]
    import random

    files["ruvector_attention/noise.bin"] = random.Random(1).randbytes(budget)
    [fault] = wheel_faults(pack_wheel(files))
    assert fault.endswith(f"the budget for wheel is {budget}")


@pytest.mark.parametrize("name", ["../evil.py", "/etc/passwd", "a/../../b", "C:/x", "a\\..\\b", "a/..", "..", "x:y/z"])
def test_unsafe_names_in_a_zip(name: str) -> None:
    info = zipfile.ZipInfo("x")
    info.filename = name
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, b"x")
    with pytest.raises(FormatError, match="would leave the folder"):
        unpack.unzip(out.getvalue())


def test_links_doubles_and_bombs_in_a_zip(monkeypatch: pytest.MonkeyPatch) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, b"/etc/passwd")
    with pytest.raises(FormatError, match="is a link or a device"):
        unpack.unzip(out.getvalue())
    out = io.BytesIO()
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"1")
        archive.writestr("a", b"2")
    with pytest.raises(FormatError, match="is there twice"):
        unpack.unzip(out.getvalue())
    monkeypatch.setattr(unpack, "MAX_BYTES", 1000)
    with pytest.raises(FormatError, match="unpacks to more than"):
        unpack.unzip(zipped({"a": bytes(1001)}))


def test_damage_in_a_zip(table: Matrix, samples: Samples) -> None:
    whole = pack_wheel(wheel_files(table, samples, LINUX))
    for data in (b"", b"PK\x03\x04", whole[: len(whole) // 2], whole[:-10], b"nonsense" * 99):
        with pytest.raises(FormatError):
            wheel.read(data)
    at = whole.index(b"ruvector_attention.abi3.so") + 60
    broken = whole[:at] + bytes(b ^ 0xFF for b in whole[at : at + 40]) + whole[at + 40 :]
    with pytest.raises(FormatError):
        wheel.read(broken)


def tool_files(table: Matrix) -> Files:
    folder = f"rva-{table.version}.dist-info"
    return {
        "rva/__init__.py": b"",
        f"{folder}/METADATA": f"Metadata-Version: 2.4\nName: rva\nVersion: {table.version}\n".encode(),
        f"{folder}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{folder}/entry_points.txt": b"[console_scripts]\nrva = rva.edge:main\n",
        f"{folder}/licenses/LICENSE-MIT": b"MIT\n",
        f"{folder}/licenses/LICENSE-APACHE": b"Apache\n",
    }


def test_a_tool_is_python_alone_and_brings_its_program(inspect: Inspect, table: Matrix, samples: Samples) -> None:
    files, folder = tool_files(table), f"rva-{table.version}.dist-info"
    name = naming.pure_wheel("rva", table.version)

    def faults(**changed: bytes) -> tuple[str, ...]:
        made = {**files, **{f"{folder}/{n}": b for n, b in changed.items() if n.isupper()}}
        made |= {n.replace("__", "."): b for n, b in changed.items() if not n.isupper()}
        return inspect(pack_wheel(made), "wheel", "native-tool", name=name)

    assert faults() == ()
    assert "does not call it pure" in faults(WHEEL=files[f"{folder}/WHEEL"].replace(b"true", b"false"))[0]
    assert "py2-none-any" in faults(WHEEL=files[f"{folder}/WHEEL"].replace(b"py3", b"py2"))[0]
    assert "and is Python alone: fast.so" in faults(fast__so=samples[f"{LINUX}/shared"])[0]
    files[f"{folder}/entry_points.txt"] = b"[console_scripts]\nother = rva.edge:main\n"
    assert faults() == ("it brings the programs other; rva was wanted",)
    files[f"{folder}/entry_points.txt"] = b"nonsense"
    assert "entry_points.txt cannot be read" in faults()[0]


def crate_files(table: Matrix) -> Files:
    toml = (
        f'[package]\nname = "ruvector-attention"\nversion = "{table.version}"\n[dependencies.libm]\nversion = "0.2"\n'
    )
    return {
        "Cargo.toml": toml.encode(),
        "Cargo.toml.orig": b"x",
        "src/lib.rs": b"pub fn f() {}\n",
        "LICENSE-MIT": b"x",
        "LICENSE-APACHE": b"x",
    }


@pytest.fixture
def crate_faults(inspect: Inspect, table: Matrix) -> Callable[..., tuple[str, ...]]:
    stem = f"ruvector-attention-{table.version}"

    def run(files: Files, folder: str = stem, name: str = f"{stem}.crate") -> tuple[str, ...]:
        return inspect(tarred(files, folder), "crate", "native-crate", name=name, forbidden=(b"/home/me/checkout",))

    return run


def test_a_sound_crate(crate_faults: Inspect, table: Matrix) -> None:
    assert crate_faults(crate_files(table)) == ()


def test_faults_of_a_crate(crate_faults: Inspect, table: Matrix) -> None:
    files = crate_files(table)
    stem = f"ruvector-attention-{table.version}"

    def changed(**new: bytes) -> tuple[str, ...]:
        return crate_faults({**files, **{n.replace("_", "."): b for n, b in new.items()}})

    def without(name: str) -> tuple[str, ...]:
        return crate_faults({n: b for n, b in files.items() if n != name})

    assert without("Cargo.toml") == ("Cargo.toml is missing",)
    assert without("src/lib.rs") == ("no Rust source below src/",)
    other = {"src/lib.txt": b"", "lib.rs": b"", **{n: b for n, b in files.items() if n != "src/lib.rs"}}
    assert crate_faults(other) == ("no Rust source below src/",)
    assert without("LICENSE-MIT") == ("the licence text LICENSE-MIT is missing",)
    assert crate_faults(files, "other-1.0")[0].startswith("its top folder is 'other-1.0'")
    assert crate_faults(files, stem, "x.crate")[0].startswith("the file is called x.crate")
    assert (
        "Cargo.toml says ruvector-attention 9.9.9"
        in changed(Cargo_toml=b'[package]\nname = "ruvector-attention"\nversion = "9.9.9"\n')[0]
    )
    assert changed(Cargo_toml=b"nonsense = = 1")[0].startswith("Cargo.toml cannot be read")
    elsewhere = ("the dependency 'x' is not taken from a registry",)
    for table in ("dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"):
        for source in ('path = "../core"', 'git = "https://git.example/x"'):
            added = f"[{table}.x]\n{source}\n".encode()
            assert changed(Cargo_toml=files["Cargo.toml"] + added) == elsewhere, added
    for toml in (b"", b"package = 1\ntarget = 1\ndependencies = []\n"):
        assert changed(Cargo_toml=toml)[0].startswith("Cargo.toml says None None; ruvector-attention ")
    assert changed(Cargo_toml=b'name = "\xff"')[0].startswith("Cargo.toml cannot be read: ")
    assert "holds the path" in crate_faults({**files, "src/a.rs": b"/home/me/checkout"})[0]


def sdist_files(table: Matrix) -> Files:
    info = f"Metadata-Version: 2.4\nName: ruvector-attention\nVersion: {table.version}\n"
    return {
        "PKG-INFO": info.encode(),
        "pyproject.toml": b"[build-system]\n",
        "bindings/python/Cargo.toml": b"[package]\n",
        "LICENSE-MIT": b"x",
        "LICENSE-APACHE": b"x",
    }


def test_source_packages(inspect: Inspect, table: Matrix) -> None:
    stem = f"ruvector_attention-{table.version}"
    files = sdist_files(table)

    def faults(files: Files, folder: str = stem, name: str = f"{stem}.tar.gz") -> tuple[str, ...]:
        return inspect(tarred(files, folder), "sdist", "native-sdist", name=name)

    def without(name: str) -> tuple[str, ...]:
        return faults({n: b for n, b in files.items() if n != name})

    assert faults(files) == ()
    assert without("PKG-INFO") == ("PKG-INFO is missing",)
    assert without("pyproject.toml") == ("pyproject.toml is missing: pip could not build it",)
    assert without("bindings/python/Cargo.toml") == ("Cargo.toml is missing: there is nothing to build",)
    assert without("LICENSE-APACHE") == ("the licence text LICENSE-APACHE is missing",)
    assert faults({**files, "PKG-INFO": b"Name: x\nVersion: 1\n"}) == (
        "its name is 'x'; 'ruvector-attention' was wanted",
        f"its version is '1'; {table.version!r} was wanted",
    )
    assert faults({**files, "PKG-INFO": b"\xff"}) == (
        "its name is ''; 'ruvector-attention' was wanted",
        f"its version is ''; {table.version!r} was wanted",
    )
    assert faults(files, "other") == (f"its top folder is 'other'; {stem!r} was wanted",)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "C:/x"])
def test_unsafe_names_in_a_tar(name: str) -> None:
    with pytest.raises(FormatError, match="would leave the folder"):
        tarball.read(tarred({name: b"x"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_links_and_devices_in_a_tar(kind: bytes) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("a/x")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(FormatError, match="is a link or a device"):
        tarball.read(out.getvalue())


def test_doubles_bombs_and_damage_in_a_tar(monkeypatch: pytest.MonkeyPatch, table: Matrix) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a/x"), io.BytesIO())
    with pytest.raises(FormatError, match="is there twice"):
        tarball.read(out.getvalue())
    with pytest.raises(FormatError, match="one top folder"):
        tarball.read(tarred({"a/x": b"", "b/x": b""}))
    whole = tarred(crate_files(table), "a")
    for data in (b"", b"\x1f\x8b", whole[:50], whole[: len(whole) // 2], b"nonsense" * 99):
        with pytest.raises(FormatError):
            tarball.read(data)
    monkeypatch.setattr(unpack, "MAX_BYTES", 100)
    with pytest.raises(FormatError, match="unpacks to more than"):
        tarball.read(tarred({"a/x": bytes(101)}))


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Matrix, samples: Samples) -> None:
    """Packages are read in memory: even a hostile one touches no folder."""
    monkeypatch.chdir(tmp_path)
    wheel.read(pack_wheel(wheel_files(table, samples, LINUX)))
    tarball.read(tarred(crate_files(table), "a"))
    assert list(tmp_path.iterdir()) == []
