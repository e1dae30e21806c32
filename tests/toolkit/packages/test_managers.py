"""Formula, manifest and installers name the archives of the release by address and checksum, or are not made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from rva import matrix, naming
from rva.model import Gap, Manifest, Packed
from rva.packages import managers
from rva.packages.stock import Stock

from .conftest import DOCUMENTS


@pytest.fixture
def stock(stocked: Path) -> Stock:
    table = matrix.load(stocked)
    return Stock(stocked, table, Manifest("1.2.3", "c", ()), frozenset(t.id for t in table.targets), DOCUMENTS)


def packed(stock: Stock) -> list[Packed]:
    """Every archive of the program, each with a checksum of its own."""
    found = []
    for i, target in enumerate(t for t in stock.matrix.targets if t.recipe == "cli"):
        for ending in naming.endings(target.triple):
            file = f"cli/{naming.archive(stock.matrix.recipes['cli'].package, '1.2.3', target.triple)}.{ending}"
            found.append(Packed(file, "cli", "x", (target.id,), "release", 1, f"{i:02d}{ending}"))
    return found


def texts(stock: Stock, given: list[Packed]) -> tuple[dict[str, str], list[str]]:
    items = list(managers.plan(stock, given))
    made = {i.name: i.parts[0].text for i in items if not isinstance(i, Gap)}
    return made, [i.package for i in items if isinstance(i, Gap)]


def test_all_four_where_all_archives_are_there(stock: Stock) -> None:
    made, lacking = texts(stock, packed(stock))
    assert set(made) == {"ruvector-attention.rb", "ruvector-attention.json", "install.sh", "install.ps1"}
    assert lacking == []


def test_each_names_every_archive_and_its_checksum(stock: Stock) -> None:
    given = packed(stock)
    made, _ = texts(stock, given)
    sums = {p.file.split("/")[1]: p.sha256 for p in given}
    for name, ending in {"install.sh": ".tar.gz", "install.ps1": ".zip", "ruvector-attention.json": ".zip"}.items():
        for file, checksum in sums.items():
            assert (file in made[name] and checksum in made[name]) == file.endswith(ending), (name, file)
    formula = made["ruvector-attention.rb"]
    assert formula.count("sha256 ") == 4 and "class RuvectorAttention < Formula" in formula
    assert f'url "{naming.download(stock.matrix.project.repository, "1.2.3")}/' in formula


def test_the_manifest_for_scoop_is_json(stock: Stock) -> None:
    made, _ = texts(stock, packed(stock))
    found = json.loads(made["ruvector-attention.json"])
    assert set(found["architecture"]) == {"64bit", "arm64"}
    assert "1.2.3" not in json.dumps(found["autoupdate"])


def test_one_that_would_name_a_missing_archive_is_not_made(stock: Stock) -> None:
    given = [p for p in packed(stock) if "apple" not in p.file]
    made, lacking = texts(stock, given)
    assert set(lacking) == {"ruvector-attention.rb", "install.sh"} and "install.ps1" in made


def test_a_stand_in_is_not_named(stock: Stock) -> None:
    given = [msgspec.structs.replace(p, build="stand-in") if "windows" in p.file else p for p in packed(stock)]
    made, lacking = texts(stock, given)
    assert set(lacking) == {"ruvector-attention.json", "install.ps1"} and "install.sh" in made


@pytest.mark.process
def test_the_script_for_sh_is_sound(stock: Stock, tmp_path: Path) -> None:
    made, _ = texts(stock, packed(stock))
    script = tmp_path / "install.sh"
    shellcheck = Path(sys.executable).with_name("shellcheck")
    for text, code in ((made["install.sh"], 0), (made["install.sh"] + "echo $to\n", 1)):
        script.write_text(text)
        done = subprocess.run([str(shellcheck), str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout


@pytest.mark.process
@pytest.mark.parametrize(
    ("system", "cpu", "target"),
    [
        ("Linux", "x86_64", "x86_64-unknown-linux-musl"),
        ("Linux", "aarch64", "aarch64-unknown-linux-musl"),
        ("Linux", "armv7l", "armv7-unknown-linux-gnueabihf"),
        ("Darwin", "arm64", "aarch64-apple-darwin"),
        ("Darwin", "x86_64", "x86_64-apple-darwin"),
    ],
)
def test_the_script_chooses_by_system_and_processor(
    stock: Stock, tmp_path: Path, system: str, cpu: str, target: str
) -> None:
    done = pretended(stock, tmp_path, system, cpu)
    assert done.returncode == 0 and f"{target}.tar.gz" in done.stdout, done.stdout + done.stderr


@pytest.mark.process
def test_without_a_static_archive_the_one_for_glibc_is_taken(stock: Stock, tmp_path: Path) -> None:
    glibc = [row for row in stock.matrix.targets if row.libc != "musl"]
    few = msgspec.structs.replace(stock, matrix=msgspec.structs.replace(stock.matrix, targets=tuple(glibc)))
    done = pretended(few, tmp_path, "Linux", "x86_64")
    assert done.returncode == 0 and "x86_64-unknown-linux-gnu.tar.gz" in done.stdout, done.stdout + done.stderr


@pytest.mark.process
@pytest.mark.parametrize(("system", "cpu"), [("FreeBSD", "amd64"), ("Linux", "riscv64"), ("Linux", "i686")])
def test_the_script_refuses_other_machines(stock: Stock, tmp_path: Path, system: str, cpu: str) -> None:
    done = pretended(stock, tmp_path, system, cpu)
    assert done.returncode == 1 and "no archive for" in done.stderr and "x86_64-apple-darwin" in done.stderr


def pretended(stock: Stock, folder: Path, system: str, cpu: str) -> subprocess.CompletedProcess[str]:
    """What install.sh --dry-run says where uname names another machine."""
    made, _ = texts(stock, packed(stock))
    (folder / "install.sh").write_text(made["install.sh"])
    for name, text in {"uname": f'case "$1" in -s) echo {system};; *) echo {cpu};; esac', "sysctl": "exit 1"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    argv = ["sh", str(folder / "install.sh"), "--dry-run"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
