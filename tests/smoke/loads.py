"""Loads an addon with another C library than this Python's: `loads.py FOLDER VECTORS`. No function of it is called.

CC (a JSON list) compiles for that library.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cases

ENTRY = "napi_register_module_v1"
SOURCE = """
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **words) {
    void *addon = count > 2 ? dlopen(words[1], RTLD_LAZY) : NULL;
    if (addon == NULL || dlsym(addon, words[2]) == NULL) {
        fprintf(stderr, "%s\\n", dlerror());
        return 1;
    }
    return 0;
}
"""


def main(argv: list[str]) -> int:
    folder, _ = cases.arguments(argv)
    addon = cases.only(folder, "*.node")
    with tempfile.TemporaryDirectory(prefix="rva-smoke-") as name:
        source, program = Path(name) / "loads.c", Path(name) / "loads"
        source.write_text(SOURCE, encoding="utf-8")
        subprocess.run([*cases.command("CC", ["cc"]), str(source), "-o", str(program), "-dynamic"], check=True)
        done = subprocess.run([str(program), str(addon), ENTRY], check=False, timeout=60)
    print(json.dumps({"passed": int(done.returncode == 0), "failed": int(done.returncode != 0)}))
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
