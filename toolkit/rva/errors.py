"""The one tree of errors. A class has one exit code; its sentence is what the user reads."""

from __future__ import annotations

from typing import ClassVar


class RvaError(Exception):
    """Base of every error that rva raises on purpose.

    ``what`` says what happened and where, ``fix`` what to do next.
    """

    code: ClassVar[int] = 8

    def __init__(self, what: str, *, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix

    def as_json(self) -> dict[str, object]:
        """The error as the object that ``--json`` prints."""
        return {"error": {"class": type(self).__name__, "message": self.what, "fix": self.fix, "exit_code": self.code}}


class CheckFailed(RvaError):
    """A build step, a test or a check did not succeed."""

    code = 1


class UsageError(RvaError):
    """The command line asks for something that does not exist."""

    code = 2


class MatrixError(RvaError):
    """platforms.toml is missing or has faults."""

    code = 3


class ToolError(RvaError):
    """A tool is missing or of the wrong version."""

    code = 4


class Unavailable(RvaError):
    """A selected row cannot be built on this machine, and --strict asked for it."""

    code = 5


class NetworkError(RvaError):
    """A registry or server could not be reached."""

    code = 6


class DiskError(RvaError):
    """A file could not be written: full, read-only or not permitted."""

    code = 7


class InternalError(RvaError):
    """A fault of rva itself."""

    code = 8


class Interrupted(RvaError):
    """The user or the system asked rva to stop."""

    code = 130
