"""Checks a Mach-O code signature: whether the hash of every page matches the page.

Structures and numbers: Apple's open source xnu, osfmk/kern/cs_blobs.h. All numbers are big-endian.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

_SUPER_BLOB: Final = 0xFADE0CC0
_CODE_DIRECTORY: Final = 0xFADE0C02
_ALTERNATES: Final = range(0x1000, 0x1005)  # more code directories, with other hashes
_HASHES: Final[dict[int, Callable[[bytes], Any]]] = {1: hashlib.sha1, 2: hashlib.sha256, 4: hashlib.sha384}


def faults(data: bytes, offset: int, size: int) -> Iterator[str]:
    """What is wrong with the signature that lies at ``offset`` of a file; nothing where every page matches."""
    blob = data[offset : offset + size]
    try:
        magic, _, count = struct.unpack_from(">III", blob)
        if magic != _SUPER_BLOB:
            yield f"its code signature begins with {magic:#x}, which is none"
            return
        slots = [struct.unpack_from(">II", blob, 12 + 8 * i) for i in range(min(count, 100))]
        directories = [at for kind, at in slots if kind == 0 or kind in _ALTERNATES]
        if not directories:
            yield "its code signature holds no hashes"
        for at in directories:
            yield from _directory(data, offset, blob[at:])
    except struct.error:
        yield "its code signature is cut short"


def _directory(data: bytes, signature: int, blob: bytes) -> Iterator[str]:
    magic, _, _, _, hashes, _, _, pages, limit = struct.unpack_from(">9I", blob)
    width, kind, _, log_page = struct.unpack_from(">4B", blob, 36)
    digest = _HASHES.get(kind)
    if magic != _CODE_DIRECTORY or digest is None or not 8 <= log_page <= 20:
        yield "its code signature has hashes of an unknown kind"
        return
    page = 1 << log_page
    if limit > signature or pages != -(-limit // page) or len(blob) < hashes + pages * width:
        yield f"its code signature covers {limit} bytes in {pages} pages, the file has {signature} before it"
        return
    # Whatever follows the signed bytes up to the signature would be loaded unchecked.
    if signature - limit >= 16:
        yield f"its code signature leaves out the last {signature - limit} bytes before it"
    wrong = [
        i
        for i in range(pages)
        if digest(data[i * page : min((i + 1) * page, limit)]).digest()[:width]
        != blob[hashes + i * width : hashes + (i + 1) * width]
    ]
    if wrong:
        yield f"its code signature does not match: {len(wrong)} of {pages} pages were changed after signing"
