"""rva: build, package, verify and release one Rust core for every platform it is used on."""

__version__ = "0.1.0"
