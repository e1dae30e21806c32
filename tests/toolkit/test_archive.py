"""Archives depend on their content alone, and unpack to what went in."""

from __future__ import annotations

import io
import os
import tarfile
import time
import zipfile

import pytest
from rva import archive
from rva.archive import Member

MEMBERS = [Member("b/run", b"#!\n" * 1000, executable=True), Member("a", b"text"), Member("c" * 120, b"")]
EPOCH = 1_700_000_000
KINDS = {"tar": archive.tar, "tar.gz": archive.tar_gz, "zip": archive.zip_}


def unpacked(kind: str, data: bytes) -> dict[str, tuple[bytes, int, int]]:
    """Name -> content, mode, time."""
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as found:
            return {
                i.filename: (found.read(i), i.external_attr >> 16 & 0o777, int(time.mktime((*i.date_time, 0, 0, -1))))
                for i in found.infolist()
            }
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {i.name: (tar.extractfile(i).read(), i.mode, int(i.mtime)) for i in tar}  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_out_is_what_went_in(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    found = unpacked(kind, KINDS[kind](MEMBERS, "top", EPOCH))
    assert list(found) == sorted(f"top/{m.path}" for m in MEMBERS)
    for member in MEMBERS:
        data, mode, when = found[f"top/{member.path}"]
        assert (data, mode, when) == (member.data, 0o755 if member.executable else 0o644, EPOCH)


@pytest.mark.parametrize("kind", KINDS)
def test_order_zone_and_umask_leave_no_trace(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = KINDS[kind](MEMBERS, "top", EPOCH)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    old = os.umask(0o077)
    try:
        assert KINDS[kind](MEMBERS[::-1], "top", EPOCH) == first
    finally:
        os.umask(old)
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("kind", KINDS)
def test_other_content_and_another_time_are_other_bytes(kind: str) -> None:
    first = KINDS[kind](MEMBERS, "top", EPOCH)
    assert KINDS[kind](MEMBERS[:2], "top", EPOCH) != first
    assert KINDS[kind](MEMBERS, "top", EPOCH + 60) != first


def test_a_time_before_zip_is_its_first() -> None:
    assert archive.zip_(MEMBERS, "top", 0) == archive.zip_(MEMBERS, "top", archive.EARLIEST)


def test_nobody_owns_what_is_inside() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive.tar(MEMBERS, "top", EPOCH))) as found:
        assert {(i.uid, i.gid, i.uname, i.gname) for i in found} == {(0, 0, "", "")}
