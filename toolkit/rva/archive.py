"""Archives whose bytes depend on their content alone: sorted entries, one time, fixed modes, no owner."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
import zipfile
from collections.abc import Iterable

from msgspec import Struct

# The first time that a ZIP archive can name.
EARLIEST = 315_532_800
# deflate's usual level: 9 takes twice the time for half a percent.
_LEVEL = 6


class Member(Struct, frozen=True):
    """One file of an archive, by its path below the archive's top folder."""

    path: str
    data: bytes
    executable: bool = False


def tar(members: Iterable[Member], folder: str, epoch: int) -> bytes:
    """A tar archive of files below one top folder."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in _sorted(members):
            info = tarfile.TarInfo(f"{folder}/{member.path}")
            info.size, info.mtime, info.mode = len(member.data), epoch, 0o755 if member.executable else 0o644
            archive.addfile(info, io.BytesIO(member.data))
    return sink.getvalue()


def tar_gz(members: Iterable[Member], folder: str, epoch: int) -> bytes:
    """The same, by gzip, whose header names neither a file nor a time."""
    return gzip.compress(tar(members, folder, epoch), compresslevel=_LEVEL, mtime=0)


def zip_(members: Iterable[Member], folder: str, epoch: int) -> bytes:
    """A ZIP archive of files below one top folder."""
    sink = io.BytesIO()
    when = time.gmtime(max(epoch, EARLIEST))[:6]
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for member in _sorted(members):
            info = zipfile.ZipInfo(f"{folder}/{member.path}", when)
            info.create_system, info.compress_type = 3, zipfile.ZIP_DEFLATED
            info.external_attr = (0o100755 if member.executable else 0o100644) << 16
            archive.writestr(info, member.data)
    return sink.getvalue()


def _sorted(members: Iterable[Member]) -> list[Member]:
    return sorted(members, key=lambda member: member.path)
