"""Composes an audit: fetches or opens what was asked for, reads each package, and each main package with its platforms'."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from rva.audit import claims, npm, registries, wheels
from rva.audit.content import against, binaries, error, leaks, warning
from rva.audit.registries import Absent
from rva.audit.specs import Spec
from rva.audited import Audit, Audited, Finding
from rva.errors import UsageError
from rva.inspect import machine, tarball, unpack
from rva.inspect.sniff import FormatError, sniff
from rva.log import Log
from rva.registries.reading import MOST_BYTES

_AT_ONCE: Final = 4
# How many files of a folder are looked at; more is no folder of packages.
_MOST_FILES: Final = 5000

Files = dict[str, bytes]
Opened = tuple[Audited, Files]


def run(specs: Sequence[Spec], log: Log) -> Audit:
    """Read everything that was asked for."""
    started = time.monotonic()
    found: list[Audited] = []
    for spec in specs:
        found += {"npm": _npm, "pypi": _pypi, "path": _path}[spec.kind](spec, log)
    return Audit(tuple(found), round(time.monotonic() - started, 1))


def _npm(spec: Spec, log: Log) -> list[Audited]:
    """A package of npm's registry, and those of its platforms."""
    scope = spec.name.split("/")[0] if spec.name.startswith("@") else ""
    address = registries.npm_address(scope)

    def one(item: tuple[str, str]) -> Opened:
        return _published(address, *item, log)

    main, files = one((spec.name, spec.version))
    wanted = _platforms_of(files)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        others = list(pool.map(one, wanted.items()))
    # What is not there is the main package's fault, and no package to list.
    missing = [error("missing-package", f"asks for {a.label}: {m}") for a, _ in others if (m := _missing(a))]
    more = [*missing, *_together(files, [f for _, f in others])]
    return [_with(main, more), *(a for a, _ in others if not _missing(a))]


def _published(address: str, name: str, version: str, log: Log) -> Opened:
    log.detail(f"reading {name}@{version}")
    try:
        exact, remote = registries.npm_package(address, name, version)
        data = registries.fetch(remote)
    except Absent as absent:
        return Audited(name, version, "npm", findings=(error("missing-package", str(absent)),)), {}
    audited, files = _tarball(data, name, exact, "npm")
    if not registries.matches(remote, data):
        audited = _with(audited, [error("integrity", "the file has not the digest that the registry gives for it")])
    return audited, files


def _missing(audited: Audited) -> str:
    return next((f.message for f in audited.findings if f.check == "missing-package"), "")


def _pypi(spec: Spec, log: Log) -> list[Audited]:
    try:
        files = registries.wheels(registries.python_address(), spec.name, spec.version)
    except Absent as absent:
        return [Audited(spec.name, spec.version, "pypi", findings=(error("missing-package", str(absent)),))]

    def one(remote: registries.Remote) -> Audited:
        log.detail(f"reading {remote.name}")
        try:
            data = registries.fetch(remote)
        except Absent as absent:
            return Audited(remote.name, "", "pypi", findings=(error("missing-package", str(absent)),))
        audited = _wheel(data, remote.name, "pypi")
        if registries.matches(remote, data):
            return audited
        return _with(audited, [error("integrity", "the file has not the digest that the index gives for it")])

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(pool.map(one, files))


def _path(spec: Spec, log: Log) -> list[Audited]:
    path = Path(spec.name)
    if path.is_file():
        return [_file(path)[0]]
    if (path / "package.json").is_file():
        return [_unpacked(path)]
    found = [p for p in _below(path) if p.name.endswith((".tgz", ".whl", ".crate", ".tar.gz", ".zip"))]
    if not found:
        raise UsageError(f"{path} holds no package", fix="name a .tgz, .whl, .crate or a folder with a package.json")
    opened = []
    for file in found:
        log.detail(f"reading {file}")
        opened.append(_file(file))
    by_name = {audited.name: (audited, files) for audited, files in opened if "package.json" in files}
    return [_beside(audited, files, by_name) for audited, files in opened]


def _beside(main: Audited, files: Files, others: dict[str, Opened]) -> Audited:
    """A package of a folder, with the packages of its platforms that lie there too."""
    wanted = _platforms_of(files)
    more: list[Finding] = []
    for name, version in wanted.items():
        found = others[name][0].version if name in others else ""
        if found and found != version:
            more.append(error("version-skew", f"asks for {name}@{version}; {found} lies beside it"))
    away = sorted(name for name in wanted if name not in others)
    if away:
        more.append(warning("missing-package", f"asks for {', '.join(away)}, which do not lie beside it"))
    return _with(main, [*more, *_together(files, [others[n][1] for n in wanted if n in others])])


def _platforms_of(files: Files) -> dict[str, str]:
    try:
        return npm.platforms(npm.manifest(files)) if "package.json" in files else {}
    except FormatError:
        return {}  # already said of the package itself


def _together(files: Files, others: Iterable[Files]) -> list[Finding]:
    """What shows only where the main package is seen with those of its platforms."""
    try:
        main = npm.manifest(files) if "package.json" in files else {}
        return [*npm.skew(main), *npm.types(files, list(others))] if main else []
    except FormatError:
        return []


def _file(path: Path) -> Opened:
    data = _read(path)
    if path.suffix == ".whl":
        return _wheel(data, path.name, str(path)), {}
    if sniff(data) == "gzip":
        return _tarball(data, "", "", str(path), path.name)
    if sniff(data) == "zip":
        return _guarded(path.name, str(path), len(data), lambda: unpack.unzip(data))
    if machine.is_binary(data):
        return _guarded(path.name, str(path), len(data), lambda: {path.name: data})
    raise UsageError(f"{path} is no package that rva can read", fix="name a .tgz, .whl, .crate, .zip or a binary")


def _tarball(data: bytes, name: str, version: str, source: str, file_name: str = "") -> Opened:
    """An npm package, or another .tar.gz: a Rust crate, a Python source package, an archive."""
    try:
        files = tarball.read(data).files
    except FormatError as fault:
        return Audited(name or file_name, version, source, len(data), findings=(error("archive", str(fault)),)), {}
    if "package.json" not in files and not name:
        return _guarded(file_name, source, len(data), lambda: files)
    try:
        own = npm.manifest(files)
        holds, findings = npm.check(files, name, version)
    except FormatError as fault:
        findings, holds, own = [error("archive", str(fault))], [], {}
    label = name or str(own.get("name", file_name)), version or str(own.get("version", ""))
    return Audited(*label, source, len(data), len(files), tuple(sorted(set(holds))), tuple(findings)), files


def _guarded(name: str, source: str, size: int, opening: Callable[[], Files]) -> Opened:
    """Files without a package's description: binaries, what the archive's name says of them, and leaks."""
    try:
        files = opening()
    except FormatError as fault:
        return Audited(name, "", source, size, findings=(error("archive", str(fault)),)), {}
    machines, findings = binaries(files)
    claim = claims.of_triple(name)
    findings += [*(against([claim], machines) if claim else ()), *leaks(files)]
    holds = tuple(sorted({facts.words for facts in machines.values()}))
    return Audited(name, "", source, size, len(files), holds, tuple(findings)), files


def _wheel(data: bytes, file_name: str, source: str) -> Audited:
    try:
        holds, count, findings = wheels.check(data, file_name)
    except FormatError as fault:
        return Audited(file_name, "", source, len(data), findings=(error("archive", str(fault)),))
    return Audited(file_name, "", source, len(data), count, tuple(sorted(set(holds))), tuple(findings))


def _unpacked(folder: Path) -> Audited:
    """A package that is already unpacked."""
    files, total = {}, 0
    for path in _below(folder):
        name = path.relative_to(folder).as_posix()
        if "node_modules" not in PurePosixPath(name).parts and not path.is_symlink():
            files[name] = _read(path)
            total += len(files[name])
    try:
        own = npm.manifest(files)
        holds, findings = npm.check(files, "", "")
    except FormatError as fault:
        return Audited(folder.name, "", str(folder), total, len(files), findings=(error("archive", str(fault)),))
    label = str(own.get("name", folder.name)), str(own.get("version", ""))
    audited = Audited(*label, str(folder), total, len(files), tuple(sorted(set(holds))), tuple(findings))
    return _with(audited, _together(files, [files]))


def _below(folder: Path) -> list[Path]:
    found = []
    for top, _, names in os.walk(folder):
        found += [Path(top) / name for name in names]
        if len(found) > _MOST_FILES:
            raise UsageError(f"{folder} holds more than {_MOST_FILES} files", fix="name the package's own folder")
    return sorted(found)


def _read(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise UsageError(f"{path} has more than {MOST_BYTES} bytes, which is the limit")
    return path.read_bytes()


def _with(audited: Audited, more: Iterable[Finding]) -> Audited:
    return msgspec.structs.replace(audited, findings=(*audited.findings, *more))
