"""What a release has done, on disk before it is done: lines of JSON, each synced before the next step begins."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import msgspec

from rva import content, files, shell
from rva.errors import DiskError
from rva.model import to_json
from rva.release.plan import ReleasePlan, Upload

PLAN, JOURNAL, FILES = "plan.json", "journal.jsonl", "files"


class Journal:
    """The folder of one release: its plan, the bytes that are sent, and the record of what was sent.

    A line that a kill or a full disk cut short is no line, and is removed before the next is written.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    def plan(self) -> ReleasePlan | None:
        """The plan that was begun, or None."""
        try:
            return msgspec.json.decode((self.place / PLAN).read_bytes(), type=ReleasePlan)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise DiskError(
                f"{self.place / PLAN} cannot be read: {error}", fix="restore it, or remove its folder"
            ) from error

    def begin(self, plan: ReleasePlan, source: Path) -> None:
        """Keep the bytes of a plan, then the plan itself. What is kept already stays."""
        for upload in plan.uploads:
            kept = self.file(upload)
            if not (kept.is_file() and content.sha256(kept) == upload.sha256):
                files.copy(source / upload.file, kept, executable=False)
        damaged = [u.file for u in plan.uploads if content.sha256(self.file(u)) != u.sha256]
        if damaged:
            raise DiskError(f"{damaged[0]} is not what its manifest says", fix="run `rva package` again")
        files.write(self.place / PLAN, to_json(plan))
        self.write("begin", commit=plan.commit, uploads=len(plan.uploads))

    def file(self, upload: Upload) -> Path:
        """Where the bytes of an upload are kept."""
        return self.place / FILES / upload.file

    def sent_anything(self) -> bool:
        """Whether anything may have left this machine."""
        return any(entry["event"] == "sending" for entry in self.entries())

    def entries(self) -> list[dict[str, object]]:
        """Every whole line."""
        path = self.place / JOURNAL
        if not path.is_file():
            return []
        whole = path.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line]

    def write(self, event: str, upload: Upload | None = None, **more: object) -> None:
        """Add one line; when this returns, it is on the disk."""
        about = {"upload": upload.id, "sha256": upload.sha256} if upload else {}
        line = json.dumps({"time": round(time.time(), 3), "event": event, **about, **more}) + "\n"
        path = self.place / JOURNAL
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                size = os.fstat(handle).st_size
                end = os.pread(handle, size, 0).rfind(b"\n") + 1
                os.ftruncate(handle, end)
                os.pwrite(handle, line.encode(), end)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise shell.from_os_error(error, f"cannot write {path}") from error
