"""The table -> workflows of GitHub and GitLab: which machine builds which rows, and the text that says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from rva import __version__, render, resources
from rva.model import Matrix, PackageManifest, Target

_WORKFLOWS = ".github/workflows"
# Rows of no system of their own: any machine builds them, this one does.
_PORTABLE = ("portable", "linux", "ubuntu-24.04", "wasm,any")


class Job(Struct, frozen=True):
    """One machine of the build matrix: its label, the rows it builds as --target takes them, how rva is called there."""

    name: str
    system: str
    runner: str
    targets: str
    addons: bool
    rva: str


def jobs(root: Path, targets: Sequence[Target]) -> tuple[Job, ...]:
    """One machine a triple, and one for what is no system's own; in the order of the rows."""
    found: dict[tuple[str, str, str, str], bool] = {}
    for target in targets:
        portable = target.cpu in ("wasm32", "any")
        key = _PORTABLE if portable else (target.triple, target.os, target.runner, target.triple)
        found[key] = found.get(key, False) or target.recipe == "napi"
    return tuple(Job(*key, addons, _launcher(root, windows=key[1] == "win32")) for key, addons in found.items())


def github_matrix(root: Path, targets: Sequence[Target]) -> str:
    """The build matrix as GitHub's `fromJSON` takes it, on one line."""
    return json.dumps({"include": [_plain(job) for job in jobs(root, targets)]}) + "\n"


def sboms(manifest: PackageManifest) -> str:
    """Each published package with the CycloneDX list of what is in it, as a matrix on one line."""
    lists = {p.file for p in manifest.packages if p.kind == "sbom" and p.build == "release"}
    pairs = [
        {"subject": p.file, "sbom": sbom}
        for p in manifest.packages
        if (sbom := f"sbom/{p.file.rsplit('/', 1)[-1]}.cdx.json") in lists
    ]
    return json.dumps({"include": pairs}) + "\n"


def texts(root: Path, matrix: Matrix) -> dict[str, str]:
    """Path below the checkout -> the text of each generated workflow of GitHub."""
    values = _values(root, matrix)
    return {f"{_WORKFLOWS}/{name}": _render(f"ci/{name}.j2", values) for name in ("ci.yml", "release.yml")}


def gitlab(root: Path, matrix: Matrix) -> str:
    """The same pipeline for GitLab, where it has the machines."""
    return _render("ci/gitlab-ci.yml.j2", _values(root, matrix))


def _values(root: Path, matrix: Matrix) -> dict[str, Any]:
    made = jobs(root, matrix.targets)
    wheel = matrix.recipes.get("wheel")
    wheels = wheel is not None and (root / "requirements" / "ci.txt").is_file()
    runners = {t.runner for t in matrix.targets if t.recipe == "wheel" and t.cpu in ("x64", "arm64")}
    launcher = _launcher(root, windows=False)
    return {
        "jobs": made,
        "rva": launcher,
        "windows_rva": _launcher(root, windows=True),
        "installed": __version__ if launcher == "rva" else "",
        "rust": matrix.tools["rust"],
        "lockfiles": list(_lockfiles(root, matrix)),
        "addons": any(job.addons for job in made),
        "wheel_runners": sorted(runners) if wheels else [],
        "wheel_folder": wheel.folder if wheel else "",
    }


def _lockfiles(root: Path, matrix: Matrix) -> Iterator[str]:
    """The lock files of npm that the recipes have."""
    folders = dict.fromkeys(recipe.folder for recipe in matrix.recipes.values())
    return (path for folder in folders if (root / (path := f"{folder}/package-lock.json")).is_file())


def _launcher(root: Path, *, windows: bool) -> str:
    """How rva is called: by the checkout's own launcher where it has one, else as it was installed."""
    if not (root / "rva").is_file():
        return "rva"
    return "./rva.cmd" if windows else "./rva"


def _plain(job: Job) -> dict[str, object]:
    return {name: getattr(job, name) for name in job.__struct_fields__}


def _render(template: str, values: dict[str, Any]) -> str:
    return render.render(resources.templates(), template, values)
