"""Which crates a binary is linked from, by `cargo tree`: name, version, licence, checksum, and who needs whom."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from rva import shell
from rva.errors import CheckFailed

_LINE = re.compile(
    r"^(?P<depth>\d+)(?P<name>\S+) v(?P<version>\S+)(?P<rest>.*?)\|(?P<licence>[^|]*?)(?P<seen> \(\*\))?$"
)


class Crate(Struct, frozen=True):
    """One crate that is linked in. Crates of this project have no checksum."""

    name: str
    version: str
    licence: str
    checksum: str
    needs: tuple[str, ...]

    @property
    def ref(self) -> str:
        """Its package address, by which the others name it."""
        return ref(self.name, self.version)


def ref(name: str, version: str) -> str:
    """The package address of a crate."""
    return f"pkg:cargo/{name}@{version}"


def linked(root: Path, crate: str, triple: str, cargo: str, env: Mapping[str, str]) -> tuple[Crate, ...]:
    """The crates in what CRATE becomes for a triple, itself first; what only compiles or tests it is left out."""
    wanted = "all" if triple == "any" else triple
    argv = [cargo, "tree", "--locked", "--offline", "--package", crate, "--target", wanted]
    argv += ["--edges", "normal", "--prefix", "depth", "--format", "{p}|{l}", "--color", "never"]
    told = shell.run(argv, cwd=root, env=env, separate_stderr=True)
    return parse(told.output, (root / "Cargo.lock").read_text("utf-8"))


def parse(tree: str, lock: str) -> tuple[Crate, ...]:
    """The crates of a tree, each once, with the checksums of the lock file."""
    sums = {(p["name"], p["version"]): p.get("checksum", "") for p in tomllib.loads(lock)["package"]}
    found: dict[str, tuple[str, str, str]] = {}
    needs: dict[str, list[str]] = {}
    above: list[str] = []
    # A procedural macro runs in the compiler: neither it nor what it needs is in the binary.
    macro = 0
    for line in filter(None, tree.splitlines()):
        match = _LINE.match(line)
        if match is None:
            raise CheckFailed(f"cargo tree said what is not understood: {line!r}")
        depth = int(match["depth"])
        if macro and depth > macro:
            continue
        macro = depth if "(proc-macro)" in match["rest"] else 0
        if macro:
            continue
        name = ref(match["name"], match["version"])
        above[depth:] = [name]
        if depth and name not in needs.setdefault(above[depth - 1], []):
            needs[above[depth - 1]].append(name)
        found.setdefault(name, (match["name"], match["version"], expression(match["licence"], name)))
    return tuple(
        Crate(name, version, licence, sums.get((name, version), ""), tuple(sorted(needs.get(key, []))))
        for key, (name, version, licence) in found.items()
    )


def expression(text: str, crate: str) -> str:
    """A licence as SPDX writes it; older crates write a slash where OR is meant."""
    try:
        return str(canonicalize_license_expression(text.strip().replace("/", " OR ")))
    except InvalidLicenseExpression as error:
        raise CheckFailed(f"{crate}: {text!r} is no SPDX licence expression: {error}") from error
