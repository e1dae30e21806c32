"""What a built file says of itself. One file a format; check.py compares the facts with a row's promises."""

from rva.inspect.check import check

__all__ = ["check"]
