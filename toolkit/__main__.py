"""Lets the launcher run `python toolkit`, with rva importable and not installed."""

from rva.edge import main

main()
