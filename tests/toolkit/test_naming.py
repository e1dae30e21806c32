"""Every id, file name and tag of the matrix, spelled out: a change here changes what users download."""

from __future__ import annotations

import pytest
from rva import naming
from rva.model import Matrix, Target

VERSION = "1.2.3-rc.1"

GOLDEN = """
wasm-web-baseline
wasm-web-simd128
wasm-web-relaxed-simd
wasm-nodejs-baseline
wasm-nodejs-simd128
wasm-nodejs-relaxed-simd
wasm-bundler-baseline
wasm-bundler-simd128
wasm-bundler-relaxed-simd
wasm-js
wasm-wasip1-cli ruvector-attention.wasm
wasm-wasip1-reactor
napi-x86_64-unknown-linux-gnu ruvector-attention.linux-x64-gnu.node
napi-aarch64-unknown-linux-gnu ruvector-attention.linux-arm64-gnu.node
napi-x86_64-unknown-linux-musl ruvector-attention.linux-x64-musl.node
napi-aarch64-unknown-linux-musl ruvector-attention.linux-arm64-musl.node
napi-armv7-unknown-linux-gnueabihf ruvector-attention.linux-arm-gnueabihf.node
napi-x86_64-apple-darwin ruvector-attention.darwin-x64.node
napi-aarch64-apple-darwin ruvector-attention.darwin-arm64.node
napi-x86_64-pc-windows-msvc ruvector-attention.win32-x64-msvc.node
napi-aarch64-pc-windows-msvc ruvector-attention.win32-arm64-msvc.node
napi-js
cli-x86_64-unknown-linux-gnu ruvector-attention
cli-aarch64-unknown-linux-gnu ruvector-attention
cli-x86_64-unknown-linux-musl ruvector-attention
cli-aarch64-unknown-linux-musl ruvector-attention
cli-armv7-unknown-linux-gnueabihf ruvector-attention
cli-x86_64-apple-darwin ruvector-attention
cli-aarch64-apple-darwin ruvector-attention
cli-x86_64-pc-windows-msvc ruvector-attention.exe
cli-aarch64-pc-windows-msvc ruvector-attention.exe
native-c-x86_64-unknown-linux-gnu libruvector_attention.so libruvector_attention.a
native-c-aarch64-unknown-linux-gnu libruvector_attention.so libruvector_attention.a
native-c-x86_64-unknown-linux-musl libruvector_attention.so libruvector_attention.a
native-c-aarch64-unknown-linux-musl libruvector_attention.so libruvector_attention.a
native-c-armv7-unknown-linux-gnueabihf libruvector_attention.so libruvector_attention.a
native-c-x86_64-apple-darwin libruvector_attention.dylib libruvector_attention.a
native-c-aarch64-apple-darwin libruvector_attention.dylib libruvector_attention.a
native-c-x86_64-pc-windows-msvc ruvector_attention.dll ruvector_attention.lib ruvector_attention.dll.lib
native-c-aarch64-pc-windows-msvc ruvector_attention.dll ruvector_attention.lib ruvector_attention.dll.lib
native-wheel-x86_64-unknown-linux-gnu ruvector_attention-1.2.3rc1-cp39-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
native-wheel-aarch64-unknown-linux-gnu ruvector_attention-1.2.3rc1-cp39-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl
native-wheel-x86_64-unknown-linux-musl ruvector_attention-1.2.3rc1-cp39-abi3-musllinux_1_2_x86_64.whl
native-wheel-aarch64-unknown-linux-musl ruvector_attention-1.2.3rc1-cp39-abi3-musllinux_1_2_aarch64.whl
native-wheel-armv7-unknown-linux-gnueabihf ruvector_attention-1.2.3rc1-cp39-abi3-manylinux2014_armv7l.manylinux_2_17_armv7l.whl
native-wheel-x86_64-apple-darwin ruvector_attention-1.2.3rc1-cp39-abi3-macosx_10_12_x86_64.whl
native-wheel-aarch64-apple-darwin ruvector_attention-1.2.3rc1-cp39-abi3-macosx_11_0_arm64.whl
native-wheel-x86_64-pc-windows-msvc ruvector_attention-1.2.3rc1-cp39-abi3-win_amd64.whl
native-wheel-aarch64-pc-windows-msvc ruvector_attention-1.2.3rc1-cp39-abi3-win_arm64.whl
native-sdist ruvector_attention-1.2.3rc1.tar.gz
native-crate ruvector-attention-1.2.3-rc.1.crate
native-tool rva-1.2.3rc1-py3-none-any.whl
""".strip().splitlines()


def spelled(table: Matrix, row: Target) -> str:
    """A row's id and the names of its files that naming alone decides."""
    recipe, triple = table.recipes[row.recipe], row.triple
    names: list[str] = []
    if row.recipe == "napi":
        names = [naming.addon(recipe.binary, triple)]
    elif row.recipe in ("cli", "wasi-command"):
        names = [naming.executable(recipe.binary, triple)]
    elif row.recipe == "c-library":
        names = [naming.shared(recipe.binary, triple), naming.static(recipe.binary, triple)]
        names += [naming.import_library(recipe.binary, triple)] if row.os == "win32" else []
    elif row.recipe == "wheel":
        names = [naming.wheel(recipe.package, VERSION, triple)]
    elif row.recipe == "sdist":
        names = [naming.sdist(recipe.package, VERSION)]
    elif row.recipe == "tool":
        names = [naming.pure_wheel(recipe.package, VERSION)]
    elif row.recipe == "crate":
        names = [naming.crate(recipe.crate, VERSION)]
    return " ".join([naming.row_id(row.recipe, triple, row.variant), *names])


def test_every_name_of_the_matrix(table: Matrix) -> None:
    assert [spelled(table, t) for t in table.targets] == GOLDEN


def test_ids_in_the_file_are_the_ones_that_naming_makes(table: Matrix) -> None:
    for row in table.targets:
        assert row.id == naming.row_id(row.recipe, row.triple, row.variant)
        assert row.id.startswith(naming.family(row.recipe))
        assert row.family == naming.family(row.recipe)


@pytest.mark.parametrize(
    ("triple", "os", "cpu", "libc"),
    [
        ("any", "any", "any", "none"),
        ("wasm32-unknown-unknown", "web", "wasm32", "none"),
        ("wasm32-wasip1", "wasi", "wasm32", "none"),
        ("x86_64-unknown-linux-gnu", "linux", "x64", "glibc"),
        ("armv7-unknown-linux-gnueabihf", "linux", "arm", "glibc"),
        ("armv7-unknown-linux-musleabihf", "linux", "arm", "musl"),
        ("aarch64-unknown-linux-musl", "linux", "arm64", "musl"),
        ("x86_64-apple-darwin", "darwin", "x64", "none"),
        ("x86_64-pc-windows-msvc", "win32", "x64", "msvc"),
        ("aarch64-pc-windows-gnullvm", "win32", "arm64", "none"),
        ("riscv64gc-unknown-linux-gnu", "linux", "unknown", "glibc"),
        ("x86_64-unknown-freebsd", "unknown", "x64", "none"),
        ("", "unknown", "unknown", "none"),
    ],
)
def test_what_a_triple_says(triple: str, os: str, cpu: str, libc: str) -> None:
    assert naming.split(triple) == naming.Parts(os, cpu, libc)


def test_stand_ins_keep_their_own_abi() -> None:
    triple = "x86_64-pc-windows-gnullvm"
    assert naming.addon("x", triple) == "x.win32-x64-gnullvm.node"
    assert naming.executable("x", triple) == "x.exe"
    assert naming.shared("x", triple) == "x.dll"
    assert naming.static("x", triple) == "libx.a"
    assert naming.import_library("x", triple) == "libx.dll.a"
    assert naming.wheel("x", "1.0.0", triple) == "x-1.0.0-cp39-abi3-win_amd64.whl"
    assert naming.dist_folder("napi", "napi-x", stand_in=True) == "stand-in/napi-x"
    assert naming.dist_folder("napi", "napi-x", stand_in=False) == "napi/napi-x"


@pytest.mark.parametrize(
    ("version", "python"), [("1.2.3", "1.2.3"), ("1.2.3-rc.1", "1.2.3rc1"), ("1.0.0-alpha.2", "1.0.0a2"), ("1.0.0-x.y", "1.0.0-x.y")]
)  # fmt: skip
def test_versions_for_python(version: str, python: str) -> None:
    assert naming.pep440(version) == python


def test_wheel_tags_are_ones_that_pip_knows(table: Matrix) -> None:
    from packaging.utils import parse_wheel_filename

    for row in table.targets:
        if row.recipe == "wheel":
            name, version, _, tags = parse_wheel_filename(naming.wheel("ruvector-attention", VERSION, row.triple))
            assert (name, str(version)) == ("ruvector-attention", "1.2.3rc1")
            assert {t.abi for t in tags} == {"abi3"}
