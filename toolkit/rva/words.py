"""The strings that platforms.toml may hold: one pattern a kind, with the words that a fault is reported in."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

# Every string of platforms.toml meets one of these patterns before it is used. They leave no room for spaces where
# a path or name is meant, for a leading dash (an option to some tool), for `..` or for a shell's characters.
NAME = r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$"
PACKAGE = r"^(@[a-z0-9][a-z0-9._-]{0,99}/)?[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$"
PATH = r"^(?!.*\.\.)[a-zA-Z0-9_.][a-zA-Z0-9_./-]{0,199}$"
ROOT = r"^(|/(?!.*\.\.)[a-zA-Z0-9_./+-]{1,199})$"
VERSION = r"^[0-9]+(\.[0-9]+){0,3}$"
TRIPLE = r"^(any|[a-z0-9_]+(-[a-z0-9_]+){1,4})$"
# Text goes into files of many kinds; what expands something in one of them is in none.
TEXT = r"^[^\x00-\x1f\x7f$`\\{}]{1,500}$"
ARGUMENT = r"^(?!.*\.\.)([a-zA-Z0-9_.{][a-zA-Z0-9_./={},:*-]{0,199}|-{1,2}[a-zA-Z][a-zA-Z0-9=_./,:-]{0,199}|--)$"
PLACE = r"^[^\x00-\x1f\x7f{}]{0,150}\{version\}[^\x00-\x1f\x7f{}]{0,150}$"
URL = r"^https://[a-zA-Z0-9.-]+/[a-zA-Z0-9._/-]*$"

NameStr = Annotated[str, Meta(pattern=NAME, description="letters, digits, dot, underscore and dash")]
PackageStr = Annotated[str, Meta(pattern=PACKAGE, description="a package name, with or without an npm scope")]
PathStr = Annotated[str, Meta(pattern=PATH, description="a path below the checkout, with forward slashes, without ..")]
VersionStr = Annotated[str, Meta(pattern=VERSION, description="numbers and dots, such as 1.96.0")]
TripleStr = Annotated[str, Meta(pattern=TRIPLE, description="a Rust target triple, or any")]
RootStr = Annotated[str, Meta(pattern=ROOT, description="an absolute folder of the system, or nothing")]
TextStr = Annotated[str, Meta(pattern=TEXT, description="one line of text without $, `, \\ and braces")]
ArgumentStr = Annotated[
    str, Meta(pattern=ARGUMENT, description="one argument of a command; {python} and the like are filled in")
]
UrlStr = Annotated[str, Meta(pattern=URL, description="an https address")]
PlaceStr = Annotated[str, Meta(pattern=PLACE, description="a piece of a line with {version} in it once")]
Bytes = Annotated[int, Meta(ge=1, le=1_000_000_000, description="bytes")]
