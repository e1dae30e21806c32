"""What is at hand, as records beside the tools themselves; reading them starts no process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from rva import files
from rva.model import Host, to_json

ABSENCE_LASTS_S = 24 * 3600
_RECORDS = "records"


class Stamp(Struct, frozen=True):
    """A file as it was when its tool was recorded; enough to notice that it was removed or replaced."""

    path: str
    size: int
    mtime_ns: int


class Tool(Struct, frozen=True, kw_only=True):
    """One tool that is ready: program or folder, version, origin, what it adds to the environment.

    ``fingerprint`` changes whenever what the tool makes may change. ``env`` holds variables; PATH in it is a
    list of folders to put first.
    """

    name: str
    version: str
    path: str
    source: str
    fingerprint: str
    env: dict[str, str] = {}
    stamps: tuple[Stamp, ...] = ()
    detail: str = ""


class Absence(Struct, frozen=True, kw_only=True):
    """A tool that could not be had, when that was found, why, and what would change it."""

    name: str
    reason: str
    fix: str
    found_at: float


class Fetch(Struct, frozen=True, kw_only=True):
    """One thing that set-up would get or make: from where, and about how much is downloaded."""

    name: str
    source: str
    megabytes: int = 0
    seconds: int = 0

    @property
    def size_text(self) -> str:
        """The size as people read it; the time where something is compiled rather than fetched."""
        return f"{self.megabytes} MB" if self.megabytes else f"~{self.seconds} s"


class Site(Struct, frozen=True):
    """Where tools are kept on this machine, and which versions platforms.toml asks for.

    ``node_folder`` is the folder of the napi recipe: its package-lock.json pins the napi CLI.
    """

    root: Path
    cache: Path
    host: Host
    versions: Mapping[str, str]
    node_folder: str = "bindings/node"

    @property
    def shared(self) -> Path:
        """The folder of tools that all checkouts of this user share; its content is this system's."""
        return self.cache / "tools" / self.host.triple

    @property
    def local(self) -> Path:
        """The records that hold for this checkout alone."""
        return self.root / ".rva" / "tools"

    @property
    def logs(self) -> Path:
        """Where the full output of set-up goes."""
        return self.root / ".rva" / "logs"

    def version(self, name: str) -> str:
        """The version that platforms.toml asks for; ToolError where it names none."""
        from rva.errors import ToolError

        if name not in self.versions:
            raise ToolError(
                f"platforms.toml gives no version for `{name}`", fix=f'add `{name} = "..."` to its [tools] table'
            )
        return self.versions[name]


class Inventory(Struct, frozen=True):
    """Every tool that is ready and every one found absent, by name."""

    site: Site
    tools: Mapping[str, Tool] = {}
    absences: Mapping[str, Absence] = {}

    def with_tools(self, *tools: Tool) -> Inventory:
        """The same inventory with more tools; what is there is no longer absent."""
        found = {tool.name: tool for tool in tools}
        absences = {name: a for name, a in self.absences.items() if name not in found}
        return Inventory(self.site, {**self.tools, **found}, absences)

    def without(self, absence: Absence) -> Inventory:
        """The same inventory with one more tool that cannot be had."""
        return Inventory(self.site, self.tools, {**self.absences, absence.name: absence})

    def as_json(self) -> str:
        """The tools and absences as JSON text."""
        return to_json({"tools": dict(self.tools), "absences": dict(self.absences)})


def stamp(path: Path) -> Stamp:
    """The present state of a file."""
    state = path.stat()
    return Stamp(str(path), state.st_size, state.st_mtime_ns)


def stamps(paths: Iterable[Path]) -> tuple[Stamp, ...]:
    """The present state of several files."""
    return tuple(stamp(path) for path in paths)


def is_unchanged(tool: Tool) -> bool:
    """Whether every file of a record is still what it was, by size and time."""
    try:
        return all(stamp(Path(s.path)) == s for s in tool.stamps)
    except OSError:
        return False


def write_record(folder: Path, tool: Tool) -> Tool:
    """Keep a tool's record under ``folder``; written last, it says that the tool is whole."""
    files.write(record_path(folder, tool.name), to_json(tool))
    return tool


def read_record(folder: Path, name: str) -> Tool | None:
    """The tool that a folder's record speaks of, or None where there is none or its files have changed."""
    try:
        tool = msgspec.json.decode(record_path(folder, name).read_bytes(), type=Tool)
    except (OSError, msgspec.MsgspecError):
        return None
    return tool if is_unchanged(tool) else None


def record_path(folder: Path, name: str) -> Path:
    """Where the record of a tool lies: std:<triple> has a colon, which Windows refuses in a file name."""
    return folder / _RECORDS / f"{name.replace(':', '-')}.json"


def write_absence(site: Site, name: str, reason: str, fix: str) -> Absence:
    """Note that a tool cannot be had here, so that planning need not try again."""
    absence = Absence(name=name, reason=reason, fix=fix, found_at=time.time())
    files.write(_absence_path(site, name), to_json(absence))
    return absence


def read_absence(site: Site, name: str, now: float | None = None) -> Absence | None:
    """The noted absence of a tool while it is less than a day old."""
    try:
        absence = msgspec.json.decode(_absence_path(site, name).read_bytes(), type=Absence)
    except (OSError, msgspec.MsgspecError):
        return None
    age = (time.time() if now is None else now) - absence.found_at
    return absence if 0 <= age < ABSENCE_LASTS_S else None


def forget_absence(site: Site, name: str) -> None:
    """Let the next set-up look again."""
    with contextlib.suppress(OSError):
        _absence_path(site, name).unlink()


def _absence_path(site: Site, name: str) -> Path:
    return site.shared / "absent" / f"{name.replace(':', '-')}.json"
