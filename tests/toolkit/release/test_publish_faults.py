"""The command that publishes under faults sees what it looks for: each kind of harm is shown red."""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rva import matrix
from rva.registries import reading, web
from rva.release import plan
from rva.release.journal import Journal

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "release"))

import publish_faults
import relay
import small

CANARY = "canary-of-this-test"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> publish_faults.Scene:
    """A release that went well, before registries that are folders and answers."""
    checkout = small.make(tmp_path / "checkout", git=False)
    packages = checkout / "dist" / "packages"
    whole = plan.make(publish_faults.releasing.packages(checkout), matrix.load(checkout), packages)
    Journal(checkout / ".rva" / "release" / "0.1.0").begin(whole, packages)
    npm, pypi, cargo, assets = {}, {}, {}, []
    for upload in whole.uploads:
        path = packages / upload.file
        if upload.registry == "npm":
            place = tmp_path / "npm" / "storage" / upload.name / path.name
            place.parent.mkdir(parents=True)
            place.write_bytes(path.read_bytes())
            npm[upload.name] = {upload.version: upload.integrity}
        elif upload.registry == "github":
            assets.append({"name": path.name, "digest": f"sha256:{upload.sha256}"})
        else:
            (pypi if upload.registry == "pypi" else cargo)[
                path.name if upload.registry == "pypi" else upload.version
            ] = upload.sha256
    (tmp_path / "github").mkdir()
    (tmp_path / "github" / "releases.json").write_text(json.dumps([{"draft": False, "assets": assets}]))
    for name, held in (("npm", npm), ("pypi", {small.NAME: pypi}), ("cargo", {small.NAME: cargo})):
        monkeypatch.setattr(reading, name, lambda _, package, held=held: held.get(package, {}))
    kinds = {k: SimpleNamespace(token=f"{CANARY}-{k}", url="", folder=tmp_path / k) for k in publish_faults.KINDS}
    made = publish_faults.Scene(relay.Stage(checkout), SimpleNamespace(**kinds), {})  # type: ignore[arg-type]
    made.pypi, made.cargo = pypi, cargo  # type: ignore[attr-defined]
    return made


def test_what_went_well_is_well(scene: publish_faults.Scene) -> None:
    assert scene.wrong() == []


def test_a_file_that_is_not_there_is_seen(scene: publish_faults.Scene) -> None:
    scene.cargo.clear()  # type: ignore[attr-defined]
    assert scene.wrong() == ["quick-hash-0.1.0.crate is not there as it was made"]


def test_other_bytes_are_seen(scene: publish_faults.Scene) -> None:
    scene.pypi["quick_hash-0.1.0.tar.gz"] = "0" * 64  # type: ignore[attr-defined]
    assert scene.wrong() == ["quick_hash-0.1.0.tar.gz is not there as it was made"]


def test_more_than_was_planned_is_seen(scene: publish_faults.Scene) -> None:
    scene.pypi["another.whl"] = "0" * 64  # type: ignore[attr-defined]
    assert scene.wrong() == ["another.whl is there and in no plan"]


def test_a_release_that_stays_a_draft_is_seen(scene: publish_faults.Scene) -> None:
    path = scene.registries.github.folder / "releases.json"
    path.write_text(path.read_text().replace("false", "true"))
    assert len(scene.wrong()) == 2


def test_a_step_that_was_taken_twice_is_seen(scene: publish_faults.Scene) -> None:
    scene.stage.took("cargo crate")
    assert scene.wrong() == []
    scene.stage.took("cargo crate")
    assert scene.wrong() == ["cargo crate was taken 2 times"]


@pytest.mark.parametrize("kind", publish_faults.KINDS)
def test_a_token_is_seen_wherever_it_is(scene: publish_faults.Scene, kind: str) -> None:
    token = scene.tokens[kind].encode()
    scene.stage.said = b"a log with " + token
    assert scene.wrong() == [f"{kind}: a token is in what rva said"]
    scene.stage.said = b""
    path = scene.stage.checkout / ".rva" / "logs" / "x.log"
    path.parent.mkdir(parents=True)
    path.write_bytes(token)
    assert scene.wrong() == [f"{kind}: a token is in .rva/logs/x.log"]


def test_a_half_file_is_seen(scene: publish_faults.Scene) -> None:
    path = scene.stage.checkout / ".rva" / "release" / "0.1.0" / "files" / "cli" / "quick-hash.tar.gz"
    path.write_bytes(path.read_bytes()[:3])
    assert scene.wrong() == ["cli/quick-hash.tar.gz is half a file"]


def test_a_broken_line_of_the_journal_is_seen(scene: publish_faults.Scene) -> None:
    path = scene.stage.checkout / ".rva" / "release" / "0.1.0" / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b'{"event": "send\n')
    with pytest.raises(json.JSONDecodeError):
        scene.wrong()


def test_the_relay_does_to_each_step_what_is_due(tmp_path: Path) -> None:
    """Each fault but a kill, before or after the registry took the bytes."""
    reached: list[str] = []

    def registry(request: web.Request) -> web.Answer:
        reached.append(request.path)
        return web.told(201, {})

    stage = relay.Stage(tmp_path)
    due = ["500", "stop-before", "500-after", "lost-answer", "kill-after"]
    stage.faults = {"cargo crate": list(due)}
    with web.serve(registry) as upstream, relay.relay("cargo", upstream, stage) as url:

        def put() -> int:
            link = http.client.HTTPConnection(url.partition("://")[2], timeout=10)
            link.request("PUT", "/api/v1/crates/new", b"x")
            try:
                return link.getresponse().status
            except (http.client.RemoteDisconnected, ConnectionError):
                return 0
            finally:
                link.close()

        assert [put() for _ in due] == [500, 0, 500, 0, 0]
        assert len(reached) == 3 and stage.taken["cargo crate"] == 3
        assert put() == 201 and len(stage.hit) == len(due)


def test_each_step_of_a_release_is_known() -> None:
    steps = {
        ("npm", "PUT", "/quick-hash", b""): "npm quick-hash",
        ("npm", "PUT", "/-/user/x", b""): "",
        ("pypi", "POST", "/", b'x filename="a.whl" y'): "pypi a.whl",
        ("cargo", "PUT", "/api/v1/crates/new", b""): "cargo crate",
        ("github", "POST", "/repos/a/b/releases", b""): "github draft",
        ("github", "POST", "/repos/a/b/releases/1/assets?name=x.gz", b""): "github x.gz",
        ("github", "PATCH", "/repos/a/b/releases/1", b""): "github public",
        ("npm", "GET", "/quick-hash", b""): "",
    }
    assert {key: relay.step_of(*key) for key in steps} == steps
