"""Archives, system packages and what is copied, as data."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from rva import naming
from rva.errors import CheckFailed
from rva.model import Matrix, Package
from rva.packages import c, documents
from rva.packages.plan import PackagePlan

from .conftest import Plan


def of_kind(made: PackagePlan, kind: str) -> dict[str, Package]:
    return {PurePosixPath(p.file).name: p for p in made.packages if p.kind == kind}


def test_wheels_source_package_crate_and_tool_are_taken_as_they_are(planned: Plan, table: Matrix) -> None:
    made = planned()
    python, crate = of_kind(made, "python"), of_kind(made, "crate")
    assert len(python) == len([t for t in table.targets if t.recipe in ("wheel", "sdist", "tool")])
    assert python["rva-1.2.3-py3-none-any.whl"].rows == ("native-tool",)
    assert python["ruvector_attention-1.2.3.tar.gz"].pack == "copy"
    assert list(crate) == ["ruvector-attention-1.2.3.crate"]
    assert all(len(p.parts) == 1 and p.parts[0].source.endswith(name) for name, p in (python | crate).items())


def test_every_archive_is_laid_out_alike(planned: Plan) -> None:
    made = planned()
    for name, package in (of_kind(made, "cli") | of_kind(made, "c")).items():
        paths = {part.path for part in package.parts}
        assert {"README.md", "LICENSE-MIT", "LICENSE-APACHE"} <= paths, name
        assert name == f"{package.folder}.{package.pack}"
    for name, package in of_kind(made, "cli").items():
        paths = {part.path for part in package.parts}
        assert {"completions/tool.bash", "man/tool.1"} <= paths, name
        [program] = [part for part in package.parts if part.path.startswith("ruvector-attention")]
        assert program.executable or "wasm32" in name


def test_windows_gets_zip_and_the_others_two_tars(planned: Plan) -> None:
    endings = {name.split("-", 4)[4]: p.pack for name, p in of_kind(planned(), "cli").items()}
    assert endings["x86_64-unknown-linux-gnu.tar.zst"] == "tar.zst"
    assert endings["x86_64-unknown-linux-gnu.tar.gz"] == "tar.gz"
    assert [e for e in endings if "windows" in e and not e.endswith(".zip")] == []


def test_the_c_library_is_laid_out_below_a_prefix(planned: Plan) -> None:
    package = of_kind(planned(), "c")["ruvector-attention-c-1.2.3-x86_64-unknown-linux-gnu.tar.gz"]
    paths = {part.path for part in package.parts}
    assert {
        "include/ruvector_attention.h",
        "lib/libruvector_attention.so",
        "lib/libruvector_attention.a",
        "lib/pkgconfig/ruvector-attention.pc",
    } <= paths


def test_the_pkgconfig_file_finds_the_prefix_from_its_new_place() -> None:
    text = "prefix=${pcfiledir}\nlibdir=${prefix}\nincludedir=${prefix}\n\nName: x\nCflags: -I${includedir}\n"
    assert c.prefixed(text) == (
        "prefix=${pcfiledir}/../..\nlibdir=${prefix}/lib\nincludedir=${prefix}/include\n\nName: x\nCflags: -I${includedir}\n"
    )


def test_the_reactor_brings_the_header(planned: Plan) -> None:
    package = of_kind(planned(), "c")["ruvector-attention-c-1.2.3-wasm32-wasip1.tar.gz"]
    assert {"include/ruvector_attention.h", "lib/ruvector_attention.wasm"} <= {part.path for part in package.parts}


def test_stand_ins_name_the_triple_that_they_were_built_for(planned: Plan) -> None:
    made = planned()
    for package in made.packages:
        assert (package.build == "stand-in") == package.file.startswith("stand-in/"), package.file
        if package.build == "stand-in" and package.kind in ("cli", "c"):
            assert "gnullvm" in package.file


@pytest.mark.parametrize(("form", "zsh"), [("deb", "vendor-completions"), ("rpm", "site-functions")])
def test_distributions_find_everything_where_they_look(planned: Plan, form: str, zsh: str) -> None:
    package = next(p for p in planned().packages if p.pack == form and "x86_64" in p.rows[0])
    paths = {part.path for part in package.parts}
    name = "ruvector-attention"
    assert {
        f"usr/bin/{name}",
        "usr/share/man/man1/tool.1.gz",
        f"usr/share/bash-completion/completions/{name}",
        f"usr/share/zsh/{zsh}/_{name}",
        f"usr/share/fish/vendor_completions.d/{name}.fish",
        f"usr/share/doc/{name}/copyright",
    } <= paths
    [config] = [part.text for part in package.parts if part.path == "nfpm.yaml"]
    assert "2.17" in config
    assert all(f'"/{path}"' in config for path in paths - {"nfpm.yaml"})


def test_a_pre_release_sorts_before_its_release() -> None:
    triple = "x86_64-unknown-linux-gnu"
    assert naming.deb("x", "1.2.3-rc.1", triple) == "x_1.2.3~rc.1-1_amd64.deb"
    assert naming.rpm("x", "1.2.3-rc.1", triple) == "x-1.2.3~rc.1-1.x86_64.rpm"


def test_no_two_packages_have_one_name(planned: Plan) -> None:
    files = [p.file for p in planned().packages]
    assert len(files) == len(set(files))


@pytest.mark.process
@pytest.mark.parametrize("script", ["exit 0", "echo > $1/x", "mkdir $1/man; : > $1/man/x.1"])
def test_documents_that_are_not_there_are_a_fault(tmp_path: Path, script: str) -> None:
    program = tmp_path / "tool"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(CheckFailed, match="were wanted"):
        documents.write(program, [], tmp_path / "out")
