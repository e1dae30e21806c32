"""Lets the launcher run `python toolkit`, with rva importable and not installed."""

from rva.cli import main

main()
