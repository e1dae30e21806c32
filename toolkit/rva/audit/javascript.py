"""Names that JavaScript files export and that their types declare, as far as they can be read without running anything."""

from __future__ import annotations

import re
from typing import Final

_COMMENTS: Final = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
_LONG_LINE: Final = 2000  # no person wrote it: a bundler's names are not the source's
_NAME: Final = r"[A-Za-z_$][\w$]*"
_DECLARED: Final = re.compile(
    rf"^\s*(export\s+)?(?:declare\s+)?(?:async\s+|abstract\s+)*(?:function|class|let|var|enum|const(?!\s+enum\b))\s+({_NAME})",
    re.MULTILINE,
)
_LISTED: Final = re.compile(r"\bexport\s*(type\s+)?\{([^}]*)\}\s*(from\b)?")
_ESM: Final = re.compile(
    rf"(?:^|[;}}])\s*export\s+(?:async\s+)?(?:function\s*\*?|class|const|let|var)\s+({_NAME})|(?:^|[;}}])\s*export\s+\*\s+as\s+({_NAME})",
    re.MULTILINE,
)
_CJS: Final = re.compile(rf"(?:\bmodule\.)?\bexports\.({_NAME})\s*=[^=]")
# Ways to export names that the text does not show.
_OPEN: Final = re.compile(
    r"export\s+\*\s+from|export\s+(?:const|let|var)\s+[{\[]|module\.exports\s*=|exports\s*\[|\(\s*(?:module\.)?exports\s*[,)]"
    r"|(?<![\w.])exports\s*=(?!=)|__exportStar|defineProperty\s*\(\s*(?:module\.)?exports"
)


def declared(types: str) -> set[str]:
    """Names of values that a .d.ts exports: functions, classes, constants and enums, no mere types.

    Only what the file itself declares: names that come from another file may be types.
    """
    text = _COMMENTS.sub("", types)
    top = _top_level(text)
    here = {m[2]: bool(m[1]) for m in _DECLARED.finditer(top)}
    names = {name for name, exported in here.items() if exported}
    for match in _LISTED.finditer(text):
        if not match[1] and not match[3]:
            names |= {outer for inner, outer in _pairs(match[2]) if inner in here}
    return names - {"default"}


def exported(source: str) -> set[str] | None:
    """Names that a script exports; None where they cannot all be read from it."""
    text = _COMMENTS.sub("", source)
    if _OPEN.search(text) or any(len(line) > _LONG_LINE for line in text.splitlines()):
        return None
    names = {m[1] or m[2] for m in _ESM.finditer(text)} | {m[1] for m in _CJS.finditer(text)}
    names |= {outer for match in _LISTED.finditer(text) for _, outer in _pairs(match[2])}
    return names or None


def _pairs(listed: str) -> list[tuple[str, str]]:
    """(name inside, name outside) of an export list: a, b as c."""
    found = []
    for item in listed.split(","):
        words = item.split()
        if words and words[0] != "type":
            found.append((words[0], words[-1]))
    return found


def _top_level(text: str) -> str:
    """The text without what lies between braces: members and namespaces."""
    kept, depth = [], 0
    for part in re.split(r"([{}])", text):
        if part == "{":
            depth += 1
        elif part == "}":
            depth = max(0, depth - 1)
            # A declaration ends here: what follows begins a line of its own.
            kept.append("\n" if depth == 0 else "")
        elif depth == 0:
            kept.append(part)
    return "".join(kept)
