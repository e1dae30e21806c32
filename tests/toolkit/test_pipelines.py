"""The generated workflows: what they promise, that linters find nothing in them, and that linters would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rva import matrix as matrix_stage
from rva import pipelines, render, resources
from rva.errors import UsageError
from rva.model import Matrix, PackageManifest, Packed

PROGRAMS = Path(sys.executable).parent
SPECIFIED = {
    "x86_64-apple-darwin", "aarch64-apple-darwin", "x86_64-pc-windows-msvc", "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl", "aarch64-unknown-linux-gnu",
}  # fmt: skip


@pytest.fixture(scope="module")
def texts(root: Path, table: Matrix) -> dict[str, str]:
    return pipelines.texts(root, table)


@pytest.fixture(scope="module")
def release(texts: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(texts[".github/workflows/release.yml"])
    return found


def jobs(texts: dict[str, str]) -> Iterator[dict[str, Any]]:
    for text in texts.values():
        yield from yaml.safe_load(text)["jobs"].values()


def test_the_specified_workflow(release: dict[str, Any]) -> None:
    assert release["name"] == "NAPI Build and Release"
    # YAML 1.1 reads the key `on` as true.
    assert release[True] == {"push": {"branches": ["main"], "tags": ["v*"]}, "pull_request": None}
    build = release["jobs"]["build"]
    assert build["strategy"]["fail-fast"] is False
    included = build["strategy"]["matrix"]["include"]
    assert {i["name"] for i in included if i["addons"]} >= SPECIFIED
    runners = {i["name"]: i["runner"] for i in included}
    assert runners["aarch64-unknown-linux-gnu"].endswith("-arm") and runners["x86_64-apple-darwin"].endswith("-intel")
    uses = [step.get("uses", "").split("@")[0] for step in build["steps"]]
    commands = " ".join(step.get("run", "") for step in build["steps"])
    node = next(s for s in build["steps"] if s.get("uses", "").startswith("actions/setup-node@"))
    assert uses[0] == "actions/checkout" and "npm" in node["with"]["cache"]
    assert "setup --target" in commands and "build --target" in commands and "--strict" in commands
    addon = next(s for s in build["steps"] if s.get("with", {}).get("path", "").endswith(".node"))
    assert addon["uses"].startswith("actions/upload-artifact@") and addon["with"]["if-no-files-found"] == "error"


def test_a_release_needs_everything_green_and_no_cache(release: dict[str, Any]) -> None:
    last = release["jobs"]["release"]
    assert last["needs"] == ["verify", "attest"] and release["jobs"]["verify"]["needs"] == ["build", "wheels"]
    assert "refs/tags/v" in last["if"] and last["environment"] == "release"
    assert last["permissions"] == {"contents": "write", "id-token": "write", "attestations": "write"}
    assert not [s for s in last["steps"] if "cache" in s.get("with", {}) or "actions/cache" in s.get("uses", "")]
    assert "id-token" not in str([job["permissions"] for name, job in release["jobs"].items() if name not in ("release", "attest")])  # fmt: skip


def test_every_job_is_bounded_and_every_action_pinned(texts: dict[str, str]) -> None:
    for text in texts.values():
        assert yaml.safe_load(text)["permissions"] == {} and yaml.safe_load(text)["concurrency"]
    found = list(jobs(texts))
    assert len(found) == 6
    for job in found:
        assert job["timeout-minutes"] <= 90 and job["permissions"]
        for step in job["steps"]:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step.get("uses", f"a/b@{'0' * 40}"))
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_no_expression_reaches_a_shell(texts: dict[str, str]) -> None:
    commands = [step["run"] for job in jobs(texts) for step in job["steps"] if "run" in step]
    assert len(commands) > 10 and not [c for c in commands if "${{" in c]


def test_the_committed_workflows_are_these(root: Path, texts: dict[str, str]) -> None:
    assert {name: (root / name).read_text("utf-8") for name in texts} == texts
    there = {p.relative_to(root).as_posix() for p in (root / ".github" / "workflows").iterdir()}
    assert there == set(texts), "a workflow that nothing generates"


def test_the_matrix_of_the_plan_is_that_of_the_workflow(root: Path, table: Matrix, release: dict[str, Any]) -> None:
    printed = json.loads(pipelines.github_matrix(root, table.targets))["include"]
    included = release["jobs"]["build"]["strategy"]["matrix"]["include"]
    assert [{k: i[k] for k in j if k in i} for i, j in zip(included, printed, strict=True)] == [
        {k: v for k, v in j.items() if k != "system"} for j in printed
    ]
    # Every row is built by exactly one machine.
    chosen = [t.id for j in printed for t in matrix_stage.select(table, [j["targets"]], [], "none")]
    assert sorted(chosen) == sorted(t.id for t in table.targets)


def lint(folder: Path, texts: dict[str, str]) -> dict[str, int]:
    """Exit status of each linter over these texts, as the checks of platforms.toml call them."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    (folder / ".git").mkdir(exist_ok=True)  # actionlint looks for the top of a repository
    calls = {"actionlint": ["actionlint"], "zizmor": ["zizmor", "--offline", "--no-progress", ".github"]}
    return {
        name: subprocess.run([PROGRAMS / argv[0], *argv[1:]], cwd=folder, capture_output=True).returncode
        for name, argv in calls.items()
    }


@pytest.mark.process
def test_linters_find_nothing(tmp_path: Path, texts: dict[str, str]) -> None:
    assert lint(tmp_path, texts) == {"actionlint": 0, "zizmor": 0}


@pytest.mark.process
@pytest.mark.parametrize(
    ("linter", "old", "new"),
    [
        ("actionlint", "runs-on: ubuntu-24.04", "runs-on: ubuntu-99"),
        ("actionlint", "needs.verify.outputs.sboms", "needs.verify.outputs.nothing"),
        ("actionlint", "timeout-minutes: 60", "timeout-minutes: soon"),
        ("zizmor", "        with:\n          persist-credentials: false\n", ""),
        ("zizmor", "publish --yes", "publish --tag {{ '${{ github.head_ref }}' }}"),
        ("zizmor", "    permissions:\n      contents: read\n", "    permissions: write-all\n"),
        ("zizmor", " # zizmor: ignore[cache-poisoning]", ""),
        ("zizmor", "  pull_request:\n", "  pull_request_target:\n"),
    ],
)
def test_linters_find_what_a_broken_template_would_bring(
    tmp_path: Path, root: Path, table: Matrix, monkeypatch: pytest.MonkeyPatch, linter: str, old: str, new: str
) -> None:
    broken = tmp_path / "templates"
    shutil.copytree(resources.templates() / "ci", broken / "ci")
    for path in (broken / "ci").iterdir():
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    monkeypatch.setattr(resources, "templates", lambda: broken)
    assert lint(tmp_path / "project", pipelines.texts(root, table))[linter] != 0


def test_gitlab_builds_every_row_once(root: Path, table: Matrix) -> None:
    document = yaml.safe_load(pipelines.gitlab(root, table))
    entries = [e for job in document.values() if "parallel" in job for e in job["parallel"]["matrix"]]
    chosen = [t.id for e in entries for t in matrix_stage.select(table, [e["ROWS"]], [], "none")]
    assert sorted(chosen) == sorted(t.id for t in table.targets)
    assert {e["NAME"] for e in entries} == {j.name for j in pipelines.jobs(root, table.targets)}


@pytest.mark.process
def test_gitlabs_own_schema_takes_it(root: Path, table: Matrix, tmp_path: Path) -> None:
    text = pipelines.gitlab(root, table)
    for name, changed, wanted in (("right", text, 0), ("wrong", text.replace("stage: verify", "stage: [1]"), 1)):
        (tmp_path / f"{name}.yml").write_text(changed, "utf-8")
        argv = [PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", tmp_path / f"{name}.yml"]
        assert subprocess.run(argv, capture_output=True).returncode == wanted, name


def packed(file: str, kind: Any, build: Any = "release") -> Packed:
    return Packed(file, kind, "x", (), build, 1, "0" * 64)


def test_a_package_is_paired_with_the_list_of_what_is_in_it() -> None:
    items = (
        packed("npm/a-1.0.0.tgz", "npm"),
        packed("sbom/a-1.0.0.tgz.cdx.json", "sbom"),
        packed("sbom/a-1.0.0.tgz.spdx.json", "sbom"),
        packed("stand-in/npm/b.tgz", "npm", "stand-in"),
        packed("stand-in/sbom/b.tgz.cdx.json", "sbom", "stand-in"),
        packed("installer/install.sh", "installer"),
    )
    made = json.loads(pipelines.sboms(PackageManifest("1.0.0", "", items, ())))
    assert made == {"include": [{"subject": "npm/a-1.0.0.tgz", "sbom": "sbom/a-1.0.0.tgz.cdx.json"}]}


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 40])
def test_shards_are_all_rows_once(table: Matrix, parts: int) -> None:
    shards = [matrix_stage.shard(table.targets, f"{i}/{parts}") for i in range(1, parts + 1)]
    assert sorted(t.id for s in shards for t in s) == sorted(t.id for t in table.targets)
    homes: dict[str, set[int]] = {}
    for i, part in enumerate(shards):
        for target in part:
            homes.setdefault(target.triple, set()).add(i)
    assert all(len(found) == 1 for found in homes.values())


@pytest.mark.parametrize("wanted", ["", "1", "0/2", "3/2", "a/b", "1/0", "-1/2", "1/2/3", "1/²", "1/1001", "; rm"])
def test_what_is_no_shard_is_refused(table: Matrix, wanted: str) -> None:
    with pytest.raises(UsageError):
        matrix_stage.shard(table.targets, wanted)


def test_an_undefined_name_in_a_template_is_no_empty_text(root: Path, table: Matrix, tmp_path: Path) -> None:
    (tmp_path / "x.j2").write_text("{{ nothing }}", "utf-8")
    with pytest.raises(Exception, match="nothing"):
        render.render(tmp_path, "x.j2", {})
