#!/usr/bin/env python3
"""Checks that #includes in daemon/, cli/, sdk/ and plugins/ point one way only, and that LibTorch, dlopen and
SQLite stay where they belong. All of daemon/ shares one include root, so the compiler alone would not notice."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# folder -> the folders it may include from, besides itself
MAY_INCLUDE = {
    "base": set(),
    "protocol": {"base"},
    "config": {"base"},
    "text": {"base"},
    "plugins": {"base", "config"},
    "executor": {"base"},
    "engine": {"base", "text"},
    "memory": {"base", "config", "engine/model"},
    "jobs": {"base", "protocol", "config", "plugins", "executor", "engine/model", "memory"},
    "control": {"base", "protocol", "config", "jobs", "plugins", "engine/model"},
    "worker": {"base", "protocol", "config", "text", "plugins", "engine", "memory"},
    "rftd": {"base", "protocol", "config", "jobs", "control", "plugins", "executor"},
    "cli": {"base", "protocol"},
}
# what a pattern in the source is allowed in
CONFINED = {
    r"#include <(ATen|torch|c10)/": {"engine"},
    # the engine loads LibTorch's CUDA half, the executor NVML; plugins are loaded in their host alone
    r"\bdlopen\(|boost/dll": {"plugins", "executor", "engine"},
    r"#include <(SQLiteCpp|sqlite3)": {"jobs"},
}


def sources():
    for top in ("daemon", "cli"):
        for path in sorted((ROOT / top).rglob("*")):
            relative = path.relative_to(ROOT)
            if path.suffix in (".h", ".cpp") and len(relative.parts) > 2 - (top == "cli"):
                yield relative, "cli" if top == "cli" else relative.parts[1]


def main():
    wrong, seen = [], 0
    for path, folder in sources():
        seen += 1
        text = (ROOT / path).read_text()
        if folder not in MAY_INCLUDE:
            wrong.append(f"{path}: the folder {folder} is not in the table of this test")
            continue
        for include in re.findall(r'#include "([^"]+)"', text):
            target = include.split("/")[0]
            allowed = MAY_INCLUDE[folder] | {folder}
            if target in MAY_INCLUDE and target not in allowed and not any(
                    include.startswith(part + "/") for part in allowed):
                wrong.append(f"{path}: includes {include}; {folder} may use {sorted(allowed)}")
        for pattern, homes in CONFINED.items():
            if folder not in homes and re.search(pattern, text):
                wrong.append(f"{path}: {pattern} belongs in {sorted(homes)} alone")
    print("\n".join(wrong) or f"{seen} files include in one direction")
    return 1 if wrong or seen == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
