"""The counters, before servers that live in the test; npm, twine and cargo by what they would be started with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from rva import shell
from rva.errors import CheckFailed, DiskError, NetworkError, ToolError
from rva.registries import github as service
from rva.registries import web
from rva.registries.base import Registry
from rva.release import desks
from rva.release.github import GitHub
from rva.release.journal import Journal
from rva.release.plan import ReleasePlan
from rva.release.tokens import Tokens

CANARY = "canary-of-this-test"
TOKENS = Tokens({"npm": CANARY, "pypi": CANARY, "cargo": CANARY, "github": CANARY})


@pytest.fixture
def begun(journal: Journal, plan: ReleasePlan, source: Path) -> Journal:
    journal.begin(plan, source)
    return journal


@pytest.fixture
def means(tmp_path: Path) -> desks.Means:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("npm", "twine", "cargo"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    return desks.Means({"PATH": str(programs)}, tmp_path / "work", TOKENS, 5.0)


class Started:
    """Stands for shell.run: keeps what was asked for."""

    def __init__(self, code: int = 0, output: str = "") -> None:
        self.argv: list[str] = []
        self.env: Mapping[str, str] = {}
        self._done = (code, output)

    def __call__(self, argv: Sequence[object], *, env: Mapping[str, str], **_: object) -> shell.Result:
        self.argv, self.env = [str(a) for a in argv], env
        return shell.Result(tuple(self.argv), *self._done, 0.1)


@pytest.mark.parametrize("number", [0, 3], ids=["npm", "pypi"])
def test_the_token_is_in_the_childs_environment_alone(
    monkeypatch: pytest.MonkeyPatch, begun: Journal, plan: ReleasePlan, means: desks.Means, number: int
) -> None:
    started = Started()
    monkeypatch.setattr(shell, "run", started)
    upload = plan.uploads[number]
    desk = desks.Npm("http://127.0.0.1:1/", means) if number == 0 else desks.PyPi("http://127.0.0.1:1/", means)
    desk.send(upload, begun)
    assert CANARY in started.env.values() and CANARY not in " ".join(started.argv)
    assert str(begun.file(upload)) in started.argv
    kept = b"".join(p.read_bytes() for p in means.work.rglob("*") if p.is_file())
    assert CANARY.encode() not in kept
    if number == 0:
        assert b"//127.0.0.1:1/:_authToken=${RVA_NPM_TOKEN}" in kept and "latest" in started.argv


def test_a_failed_program_is_quoted_without_the_token(
    monkeypatch: pytest.MonkeyPatch, begun: Journal, plan: ReleasePlan, means: desks.Means
) -> None:
    monkeypatch.setattr(shell, "run", Started(1, f"403 for {CANARY}\n"))
    with pytest.raises(CheckFailed) as caught:
        desks.Npm("http://127.0.0.1:1/", means).send(plan.uploads[0], begun)
    assert "[token]" in caught.value.what and CANARY not in caught.value.what


def test_a_full_disk_that_a_program_meets_is_one(
    monkeypatch: pytest.MonkeyPatch, begun: Journal, plan: ReleasePlan, means: desks.Means
) -> None:
    monkeypatch.setattr(shell, "run", Started(1, "npm error ENOSPC\n"))
    with pytest.raises(DiskError):
        desks.Npm("http://127.0.0.1:1/", means).send(plan.uploads[0], begun)


def test_a_program_that_is_not_there(begun: Journal, plan: ReleasePlan, means: desks.Means, tmp_path: Path) -> None:
    (tmp_path / "bin" / "twine").unlink()
    with pytest.raises(ToolError, match="twine"):
        desks.PyPi("http://127.0.0.1:1/", means).send(plan.uploads[3], begun)


def test_where_pypis_list_is(means: desks.Means) -> None:
    assert desks.PyPi(desks.PYPI, means).simple == "https://pypi.org/simple/"
    assert desks.PyPi("https://test.pypi.org/legacy/", means).simple == "https://test.pypi.org/simple/"
    assert desks.PyPi("http://127.0.0.1:1/", means).simple == "http://127.0.0.1:1/simple/"


def test_what_a_crate_says_of_itself_in_the_registrys_words() -> None:
    dependency = {
        "name": "libm", "req": "^0.2.16", "rename": None, "uses_default_features": True, "kind": None, "features": [],
        "optional": False, "target": 'cfg(target_os = "linux")', "registry": None, "source": "registry",
    }  # fmt: skip
    package = dict.fromkeys(
        ("authors", "description", "documentation", "homepage", "keywords", "categories", "license", "license_file", "repository", "links", "rust_version")
    )  # fmt: skip
    told = desks.crate_facts(
        {
            **package,
            "name": "c",
            "version": "1.0.0",
            "readme": "README.md",
            "features": {"std": []},
            "dependencies": [dependency],
        },
        "Words.",
    )
    assert (told["name"], told["vers"], told["readme"], told["features"]) == ("c", "1.0.0", "Words.", {"std": []})
    [said] = told["deps"]
    assert said["version_req"] == "^0.2.16" and said["kind"] == "normal" and said["default_features"] is True
    assert said["target"] == 'cfg(target_os = "linux")' and said["explicit_name_in_toml"] is None


def test_owners_as_registries_tell_them(means: desks.Means) -> None:
    def answer(request: web.Request) -> web.Answer:
        pages: dict[str, object] = {
            "/fine": {"maintainers": [{"name": "us"}], "versions": {}},
            "/silent": {"versions": {}},
            "/config.json": {"api": f"{url}/"},
            "/api/v1/crates/fine/owners": {"users": [{"login": "us"}, {"login": "them"}]},
        }
        return web.told(200, pages[request.path]) if request.path in pages else web.Answer(404)

    with web.serve(answer) as url:
        npm, cargo = desks.Npm(url, means), desks.Cargo(f"{url}/", means)
        assert npm.owners("fine") == (True, ("us",)) and npm.owners("silent") == (True, None)
        assert npm.owners("none") == (False, None)
        assert cargo.owners("fine") == (True, ("us", "them")) and cargo.owners("none") == (False, None)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Registry]:
    with service.serve(tmp_path / "hub") as registry:
        yield registry


def test_a_draft_gets_its_files_then_is_made_public(
    hub: Registry, plan: ReleasePlan, begun: Journal, tmp_path: Path
) -> None:
    means = desks.Means({}, tmp_path, Tokens({"github": hub.token}), 5.0)
    desk = GitHub(hub.url, plan, means)
    upload = plan.uploads[-1]
    assert desk.owners("a/b") == (True, ("a",))
    assert desk.held(upload) is None
    with pytest.raises(CheckFailed, match="gone"):
        desk.close()
    desk.send(upload, begun)
    assert desk.held(upload) == upload.sha256

    def drafts() -> list[bool]:
        return [r["draft"] for r in json.loads((hub.folder / "releases.json").read_text())]

    assert drafts() == [True]
    desk.close()
    desk.close()
    assert drafts() == [False]


def test_a_file_that_came_over_in_part_is_sent_anew(
    hub: Registry, plan: ReleasePlan, begun: Journal, tmp_path: Path
) -> None:
    means = desks.Means({}, tmp_path, Tokens({"github": hub.token}), 5.0)
    upload = plan.uploads[-1]
    GitHub(hub.url, plan, means).send(upload, begun)
    path = hub.folder / "releases.json"
    path.write_text(path.read_text().replace('"uploaded"', '"starter"'))
    with service.serve(hub.folder) as again:
        desk = GitHub(again.url, plan, desks.Means({}, tmp_path, Tokens({"github": again.token}), 5.0))
        assert desk.held(upload) is None
        desk.send(upload, begun)
        assert desk.held(upload) == upload.sha256


def test_a_wrong_token_is_refused_without_being_shown(hub: Registry, plan: ReleasePlan, means: desks.Means) -> None:
    with pytest.raises(NetworkError) as caught:
        GitHub(hub.url, plan, means).held(plan.uploads[-1])
    assert "401" in caught.value.what and CANARY not in caught.value.what
