#!/bin/sh
# Rewrite requirements/*.txt from requirements/*.in: exact versions and hashes, for every system and Python 3.11+.
set -eu
cd "$(dirname "$0")/../requirements"
for list in *.in; do
    UV_FIND_LINKS='' uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
        --custom-compile-command scripts/lock-requirements.sh "$@" "$list" -o "${list%.in}.txt"
done
