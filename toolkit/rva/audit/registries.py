"""npm's and Python's registries, as this machine is set up to use them: descriptions and files, limited in size and time.

Addresses come from npm and pip themselves; nothing fetched is run, and no password is sent.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import sys
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from msgspec import Struct

from rva import shell
from rva.errors import NetworkError, UsageError
from rva.registries import reading

_NPM: Final = "https://registry.npmjs.org/"
_PYPI: Final = "https://pypi.org/simple"
_SIMPLE: Final = "application/vnd.pypi.simple.v1+json"


class Remote(Struct, frozen=True):
    """One file of a registry: its name, address, and the digest that the registry gives for it."""

    name: str
    url: str
    digest: str = ""


class Absent(Exception):
    """The registry does not have it; the text says what it has."""


def npm_address(scope: str) -> str:
    """The registry that npm would ask for packages of a scope ("" for none)."""
    npm = shutil.which("npm")
    if npm is None:
        return os.environ.get("NPM_CONFIG_REGISTRY", _NPM)
    for key in (*([f"{scope}:registry"] if scope else []), "registry"):
        done = shell.run([npm, "config", "get", key], check=False, separate_stderr=True, timeout=60)
        address = done.output.strip()
        if done.returncode == 0 and address.startswith(("https://", "http://")):
            return address
    return _NPM


def python_address() -> str:
    """The index that pip would ask."""
    if found := os.environ.get("PIP_INDEX_URL"):
        return found
    done = shell.run([sys.executable, "-m", "pip", "config", "list"], check=False, separate_stderr=True, timeout=60)
    settings = dict(line.split("=", 1) for line in done.output.splitlines() if "=" in line)
    for key in ("global.index-url", "install.index-url"):
        if key in settings and done.returncode == 0:
            return settings[key].strip().strip("'\"")
    return _PYPI


def npm_package(address: str, name: str, version: str) -> tuple[str, Remote]:
    """A version's own number (for tags such as latest) and its tarball; Absent where the registry has none."""
    path = quote(name, safe="@")
    content = reading.json_at(urljoin(_folder(address), f"{path}/{quote(version, safe='')}"))
    if content is None:
        raise Absent(_npm_versions(address, name, version))
    dist = content.get("dist")
    if not isinstance(dist, dict) or not isinstance(dist.get("tarball"), str):
        raise NetworkError(f"the registry names no file for {name}@{version}")
    digest = str(dist.get("integrity") or (f"sha1-{dist['shasum']}" if dist.get("shasum") else ""))
    return str(content.get("version", version)), Remote(
        f"{name}@{version}", _same_kind(address, dist["tarball"]), digest
    )


def wheels(address: str, name: str, version: str) -> list[Remote]:
    """The wheels of one version; Absent where the index has none."""
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion as error:
        raise UsageError(f"{version!r} is no version of a Python package", fix="write pypi:NAME==VERSION") from error
    page = urljoin(_folder(address), f"{canonicalize_name(name)}/")
    listed = reading.json_at(page, _SIMPLE)
    if listed is None:
        raise Absent(f"the index has no package {name}")
    found = []
    for file in listed.get("files", []):
        file_name = str(file.get("filename", ""))
        try:
            if file_name.endswith(".whl") and parse_wheel_filename(file_name)[1] == wanted:
                digest = str(file.get("hashes", {}).get("sha256", ""))
                url = _same_kind(address, urljoin(page, str(file.get("url", ""))))
                found.append(Remote(file_name, url, f"sha256:{digest}" if digest else ""))
        except InvalidWheelFilename:
            continue
    if not found:
        raise Absent(f"the index has no wheel of {name} {version}")
    return found


def fetch(remote: Remote) -> bytes:
    """A file's bytes. Whether they have the registry's digest is another question: see ``matches``."""
    data = reading.got(remote.url)
    if data is None:
        raise Absent("the registry describes it, and has no file for it")
    return data


def matches(remote: Remote, data: bytes) -> bool:
    """Whether a file has the digest that the registry gives for it; true where it gives none."""
    if remote.digest.startswith("sha256:"):
        return hashlib.sha256(data).hexdigest() == remote.digest.removeprefix("sha256:")
    name, _, value = remote.digest.split(" ")[0].partition("-")
    if name == "sha1":
        return hashlib.sha1(data, usedforsecurity=False).hexdigest() == value
    return name != "sha512" or base64.b64encode(hashlib.sha512(data).digest()).decode() == value


def _npm_versions(address: str, name: str, version: str) -> str:
    """Why a version is not there, in words."""
    told = reading.json_at(urljoin(_folder(address), quote(name, safe="@")), "application/vnd.npm.install-v1+json")
    if told is None:
        return "the registry has no package of this name"
    known = list(told.get("versions", {}))
    return f"the registry has no version {version}, only {', '.join(known[-6:]) or 'none'}"


def _same_kind(address: str, url: str) -> str:
    """A file's address, no less safe than the registry's."""
    allowed = ("https",) if urlsplit(address).scheme == "https" else ("https", "http")
    if urlsplit(url).scheme not in allowed:
        raise NetworkError(f"the registry names a file at {urlsplit(url).scheme}:, {allowed[0]}: was wanted")
    return url


def _folder(address: str) -> str:
    return address if address.endswith("/") else f"{address}/"
