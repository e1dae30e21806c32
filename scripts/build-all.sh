#!/bin/sh
# Build every target of platforms.toml that this machine can build.
exec "$(dirname "$0")/../rva" build --target all "$@"
