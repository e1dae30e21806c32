"""The registries that run inside rva, and what is read from any registry."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rva.errors import NetworkError
from rva.registries import cargo, github, reading, web
from rva.registries.base import Registry, clean


@pytest.fixture
def crates(tmp_path: Path) -> Iterator[Registry]:
    with cargo.serve(tmp_path) as registry:
        yield registry


def upload(registry: Registry, name: str, version: str, crate: bytes, token: str | None = None) -> httpx.Response:
    dependency = {
        "name": "libm", "version_req": "^0.2", "features": [], "optional": True, "default_features": True, "target": None,
        "kind": "normal", "registry": None, "explicit_name_in_toml": "maths",
    }  # fmt: skip
    features = {"std": [], "maths": ["dep:maths"]}
    facts = json.dumps({"name": name, "vers": version, "deps": [dependency], "features": features}).encode()
    body = struct.pack("<I", len(facts)) + facts + struct.pack("<I", len(crate)) + crate
    headers = {"Authorization": registry.token if token is None else token}
    return httpx.put(f"{registry.upload}/api/v1/crates/new", content=body, headers=headers, trust_env=False)


def test_a_crate_goes_in_once_and_comes_out_as_it_was(crates: Registry) -> None:
    assert reading.cargo(crates.url, "fine-crate") == {}
    assert upload(crates, "fine-crate", "0.1.0", b"bytes").status_code == 200
    assert reading.cargo(crates.url, "fine-crate") == {"0.1.0": hashlib.sha256(b"bytes").hexdigest()}
    again = upload(crates, "fine-crate", "0.1.0", b"others")
    assert again.status_code == 400 and "already uploaded" in again.text
    config = httpx.get(f"{crates.upload}/index/config.json", trust_env=False).json()
    got = httpx.get(f"{config['dl']}/fine-crate/0.1.0/download", trust_env=False)
    assert got.content == b"bytes"
    [line] = (crates.folder / "index" / "fi" / "ne" / "fine-crate").read_text().splitlines()
    entry = json.loads(line)
    assert entry["deps"][0]["name"] == "maths" and entry["deps"][0]["package"] == "libm"
    assert entry["features"] == {"std": []} and entry["features2"] == {"maths": ["dep:maths"]}


def test_a_crate_without_the_token_or_with_wrong_lengths_is_refused(crates: Registry) -> None:
    assert upload(crates, "fine-crate", "0.1.0", b"bytes", token="another").status_code == 403
    headers = {"Authorization": crates.token}
    for body in (b"", b"\x01", struct.pack("<I", 2) + b"{}" + struct.pack("<I", 9) + b"x"):
        url = f"{crates.upload}/api/v1/crates/new"
        assert httpx.put(url, content=body, headers=headers, trust_env=False).status_code == 400
    assert httpx.get(f"{crates.upload}/index/../htpasswd", trust_env=False).status_code == 404
    assert reading.cargo(crates.url, "fine-crate") == {}


@pytest.mark.parametrize(("name", "path"), [("a", "1/a"), ("ab", "2/ab"), ("abc", "3/a/abc"), ("Abcd", "ab/cd/abcd")])
def test_where_the_index_has_a_crate(name: str, path: str) -> None:
    assert reading.index_path(name) == path


def test_a_release_is_a_draft_until_it_is_made_public(tmp_path: Path) -> None:
    with github.serve(tmp_path) as service:
        headers = {"Authorization": f"Bearer {service.token}"}
        client = httpx.Client(base_url=service.url, headers=headers, trust_env=False)
        told = {"tag_name": "v1.0.0", "name": "1.0.0", "body": "notes", "draft": True}
        assert httpx.post(f"{service.url}/repos/a/b/releases", json=told, trust_env=False).status_code == 401
        release = client.post("/repos/a/b/releases", json=told).json()
        place = release["upload_url"].split("{")[0]
        asset = client.post(place, params={"name": "x.tar.gz"}, content=b"x").json()
        assert asset["digest"] == "sha256:" + hashlib.sha256(b"x").hexdigest()
        assert client.post(place, params={"name": "x.tar.gz"}, content=b"y").status_code == 422
        file = f"{service.upload}/v1.0.0/x.tar.gz"
        assert httpx.get(file, trust_env=False).status_code == 404
        client.patch(f"/repos/a/b/releases/{release['id']}", json={"draft": False})
        assert httpx.get(file, trust_env=False).content == b"x"
        assert client.post("/repos/a/b/releases", json=told).status_code == 422
    with github.serve(tmp_path) as service:
        assert httpx.get(f"{service.upload}/v1.0.0/x.tar.gz", trust_env=False).content == b"x"


PAGE = '<a href="../f/a_b-1.0-py3-none-any.whl#sha256=12">x</a><a href="c%2B1.tar.gz#md5=3">y</a><a name="z">z</a>'


def test_what_registries_say_is_read() -> None:
    held = {"versions": {"1.0.0": {"dist": {"integrity": "sha512-x"}}, "0.9.0": {"dist": {}}}}

    def answer(request: web.Request) -> web.Answer:
        pages = {"/@s%2Fpackage": json.dumps(held), "/simple/project/": PAGE}
        if request.path == "/ill":
            return web.Answer(503)
        return web.Answer(200, pages[request.path].encode()) if request.path in pages else web.Answer(404)

    with web.serve(answer) as url:
        assert reading.npm(f"{url}/", "@s/package") == {"1.0.0": "sha512-x", "0.9.0": ""}
        assert reading.npm(f"{url}/", "none") == {}
        assert reading.pypi(f"{url}/simple/", "project") == {"a_b-1.0-py3-none-any.whl": "12", "c+1.tar.gz": ""}
        assert reading.pypi(f"{url}/simple/", "none") == {}
        with pytest.raises(NetworkError, match="503"):
            reading.npm(url, "ill")
    with pytest.raises(NetworkError):
        reading.npm(url, "gone")


def test_servers_get_nothing_of_the_users_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_TOKEN", "canary")
    env = clean(tmp_path / "home")
    assert "canary" not in env.values() and env["HOME"] == str(tmp_path / "home")
