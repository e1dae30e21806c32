"""The registries that packages go to: npm's by npm, Python's by twine, cargo's by its web interface."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from msgspec import Struct
from packaging.utils import canonicalize_name

from rva import files, shell
from rva.errors import NetworkError, ToolError
from rva.inspect import tarball
from rva.registries import reading
from rva.release.journal import Journal
from rva.release.plan import Upload
from rva.release.tokens import Tokens

PYPI = "https://upload.pypi.org/legacy/"
# How an index calls the one that cargo takes where none is named.
CRATES_IO = "https://github.com/rust-lang/crates.io-index"
DEFAULTS = {"npm": "https://registry.npmjs.org/", "pypi": PYPI, "cargo": "sparse+https://index.crates.io/"}


class Means(Struct, frozen=True):
    """What sending is done with: an environment with npm, cargo and twine in its path, a folder to work in."""

    env: Mapping[str, str]
    work: Path
    tokens: Tokens
    timeout_s: float = 600.0


class Npm:
    """npm's registry, or another that speaks its language."""

    def __init__(self, url: str, means: Means) -> None:
        self._url = url.rstrip("/") + "/"
        self._means = means

    def held(self, upload: Upload) -> str | None:
        """The SHA-512 that the registry gives for a version."""
        return reading.npm(self._url, upload.name).get(upload.version)

    def send(self, upload: Upload, journal: Journal) -> None:
        """`npm publish` of the tarball, without the user's settings and without retries of its own."""
        home = self._means.work / "npm"
        # npm fills the variable in from its environment: the token is in no file.
        line = f"//{urlsplit(self._url).netloc}{urlsplit(self._url).path}:_authToken=${{RVA_NPM_TOKEN}}\n"
        token = self._means.tokens.of("npm")
        files.write(home / "user.npmrc", line if token else "")
        files.write(home / "global.npmrc", "")
        tag = "next" if "-" in upload.version else "latest"
        argv: list[str | Path] = [
            "npm", "publish", journal.file(upload), "--registry", self._url, "--access", "public", "--tag", tag,
            "--userconfig", home / "user.npmrc", "--globalconfig", home / "global.npmrc", "--cache", home / "cache",
            "--ignore-scripts", "--fetch-retries=0", "--no-update-notifier", "--loglevel=error",
            *(["--provenance"] if self._means.tokens.trusted else []),
        ]  # fmt: skip
        _run(argv, home, {"RVA_NPM_TOKEN": token} if token else {}, self._means)

    def owners(self, name: str) -> tuple[bool, tuple[str, ...] | None]:
        """The maintainers of a package."""
        told = reading.json_at(f"{self._url}{quote(name, safe='@')}")
        if told is None:
            return False, None
        people = told.get("maintainers")
        return True, tuple(p["name"] for p in people) if people else None

    def close(self) -> None:
        """Nothing: each package is public by itself."""


class PyPi:
    """Python's package index. ``url`` is where files are sent; their list is beside it, for PyPI at pypi.org."""

    def __init__(self, url: str, means: Means) -> None:
        self._url = url
        self._means = means

    @property
    def simple(self) -> str:
        """The index that pip reads."""
        base = self._url.rstrip("/").removesuffix("/legacy")
        return ("https://pypi.org" if self._url == PYPI else base) + "/simple/"

    def held(self, upload: Upload) -> str | None:
        """The SHA-256 that the index gives for a file."""
        return reading.pypi(self.simple, canonicalize_name(upload.name)).get(Path(upload.file).name)

    def send(self, upload: Upload, journal: Journal) -> None:
        """`twine upload` of the file."""
        home = self._means.work / "pypi"
        files.write(home / "pypirc", "")
        token = self._means.tokens.of("pypi")
        secret = {"TWINE_USERNAME": "__token__", "TWINE_PASSWORD": token} if token else {}
        argv: list[str | Path] = [
            "twine", "upload", "--non-interactive", "--disable-progress-bar", "--config-file", home / "pypirc",
            "--repository-url", self._url, journal.file(upload),
        ]  # fmt: skip
        _run(argv, home, secret, self._means)

    def owners(self, name: str) -> tuple[bool, tuple[str, ...] | None]:
        """The people who have a role in a project, where the index tells."""
        if not reading.pypi(self.simple, canonicalize_name(name)):
            return False, None
        if self._url != PYPI:
            return True, None
        told = reading.json_at(f"https://pypi.org/pypi/{canonicalize_name(name)}/json") or {}
        roles = (told.get("ownership") or {}).get("roles")
        return True, tuple(role["user"] for role in roles) if roles else None

    def close(self) -> None:
        """Nothing: each file is public by itself."""


class Cargo:
    """A cargo registry, by its sparse index.

    `cargo publish` packs anew and takes no file: the bytes that were verified go by the request that it makes.
    """

    def __init__(self, index: str, means: Means) -> None:
        self._index = index if index.startswith("sparse+") else f"sparse+{index}"
        self._means = means

    def held(self, upload: Upload) -> str | None:
        """The SHA-256 that the index gives for a version."""
        return reading.cargo(self._index, upload.name).get(upload.version)

    def send(self, upload: Upload, journal: Journal) -> None:
        """The upload of cargo's registry interface: what the crate says of itself, and the crate."""
        crate = journal.file(upload).read_bytes()
        facts = json.dumps(self._facts(crate)).encode()
        body = struct.pack("<I", len(facts)) + facts + struct.pack("<I", len(crate)) + crate
        url = f"{self._api()}/api/v1/crates/new"
        headers = {"Authorization": self._means.tokens.of("cargo"), "User-Agent": reading.AGENT}
        answer = request("PUT", url, self._means, headers=headers, content=body)
        # Older registries tell of a refusal in an answer that is a success.
        if not answer.is_success or "errors" in reading.parsed(url, answer.text):
            raise refused(url, answer, self._means.tokens)

    def owners(self, name: str) -> tuple[bool, tuple[str, ...] | None]:
        """The owners of a crate."""
        told = reading.json_at(f"{self._api()}/api/v1/crates/{name}/owners")
        return (False, None) if told is None else (True, tuple(user["login"] for user in told["users"]))

    def close(self) -> None:
        """Nothing: each crate is public by itself."""

    def _api(self) -> str:
        """Where the index says that its interface is."""
        told = reading.json_at(f"{self._index.removeprefix('sparse+').rstrip('/')}/config.json")
        if told is None or not isinstance(told.get("api"), str):
            raise NetworkError(f"{self._index} is no index of a cargo registry", fix="check the address")
        return str(told["api"]).rstrip("/")

    def _facts(self, crate: bytes) -> dict[str, Any]:
        """What cargo reads from the manifest in the crate, as the interface wants it."""
        unpacked = tarball.read(crate)
        folder = files.make_folder(self._means.work / "crate" / unpacked.folder)
        for name, data in unpacked.files.items():
            # A workspace of its own: no manifest in a folder above is any business of the crate's.
            files.write(folder / name, data + b"\n[workspace]\n" if name == "Cargo.toml" else data)
        argv: list[str | Path] = [
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
            "--manifest-path",
            folder / "Cargo.toml",
        ]
        told = shell.run([_program("cargo", self._means), *argv], cwd=folder, env=self._means.env, separate_stderr=True)
        [package] = json.loads(told.output)["packages"]
        readme = unpacked.files.get(package["readme"] or "", b"").decode("utf-8", "replace")
        return crate_facts(package, readme, "" if self._index == DEFAULTS["cargo"] else CRATES_IO)


def crate_facts(package: Mapping[str, Any], readme: str, others: str = "") -> dict[str, Any]:
    """A package of `cargo metadata` in the words of the registry interface. ``others``: where its dependencies are, if not there too."""
    same = (
        "authors", "description", "documentation", "homepage", "keywords", "categories", "license", "license_file",
        "repository", "links", "rust_version", "features",
    )  # fmt: skip
    return {
        "name": package["name"],
        "vers": package["version"],
        "deps": [_dependency(d, others) for d in package["dependencies"]],
        "readme": readme or None,
        "readme_file": package["readme"],
        "badges": {},
        **{key: package[key] for key in same},
    }


def _dependency(told: Mapping[str, Any], others: str) -> dict[str, Any]:
    return {
        "name": told["name"],
        "version_req": told["req"],
        "explicit_name_in_toml": told["rename"],
        "default_features": told["uses_default_features"],
        "kind": told["kind"] or "normal",
        **{key: told[key] for key in ("features", "optional", "target")},
        "registry": told["registry"] or others or None,
    }


def request(method: str, url: str, means: Means, **more: Any) -> httpx.Response:
    """One request; whatever goes wrong on the way is a NetworkError without secrets."""
    try:
        return httpx.request(method, url, timeout=means.timeout_s, trust_env=not reading.is_loopback(url), **more)
    except httpx.HTTPError as error:
        raise NetworkError(
            means.tokens.hide(f"{method} {url}: {error!r}"),
            fix="run the same command again; it goes on where it stopped",
        ) from error


def refused(url: str, answer: httpx.Response, tokens: Tokens) -> NetworkError:
    """The error for an answer that is a refusal."""
    return NetworkError(
        tokens.hide(f"{url} answers {answer.status_code}: {answer.text[:500]}"),
        fix="mend what it says, then run the same command again; it goes on where it stopped",
    )


def _run(argv: Sequence[str | Path], home: Path, secret: Mapping[str, str], means: Means) -> None:
    """One program with its secret in its environment alone; its words reach nobody before the secrets are out of them."""
    name, *rest = argv
    env = {**means.env, "HOME": str(home), "NO_COLOR": "1", **secret}
    done = shell.run([_program(str(name), means), *rest], cwd=home, env=env, check=False, timeout=means.timeout_s)
    if done.returncode != 0:
        said = means.tokens.hide(done.output)
        raise shell.failure(replace(done, output=said), said, None)


def _program(name: str, means: Means) -> str:
    found = shutil.which(name, path=means.env.get("PATH", os.environ.get("PATH")))
    if found is None:
        raise ToolError(f"{name} was not found", fix="run `rva setup`")
    return found
