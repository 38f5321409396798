#!/usr/bin/env python3
"""The systemd unit: how exposed systemd calls it, and that it leaves a plugin's sandbox possible: unit_test.py UNIT.
Skipped (77) without systemd-analyze."""
import re
import shutil
import subprocess
import sys

MOST_EXPOSED = 3.2  # docs/operations.md says what of it stays open, and why
# Each is a mount over a part of /proc, after which no process of the service can have a /proc of its own.
MOUNTED_OVER_PROC = ("ProtectKernelTunables", "ProtectKernelLogs", "ProtectHostname", "ProcSubset")


def main():
    unit = sys.argv[1]
    with open(unit, encoding="utf-8") as file:
        settings = dict(re.findall(r"^(\w+)=(.*)$", file.read(), re.MULTILINE))
    for setting in MOUNTED_OVER_PROC:
        assert setting not in settings, f"{setting}= leaves bubblewrap no /proc to mount"
    assert "RestrictSUIDSGID" not in settings, "it denies openat2, which job folders are opened with"
    for call in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "@mount"):
        assert call in settings["SystemCallFilter"].split(), f"a plugin is not confined without {call}"
    if not shutil.which("systemd-analyze"):
        print("there is no systemd-analyze")
        sys.exit(77)
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True)
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    assert exposure, said
    assert float(exposure[1]) <= MOST_EXPOSED, said.stdout


main()
