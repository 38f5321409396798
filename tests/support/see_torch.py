#!/usr/bin/env python3
"""Lets the Python that runs this import the torch wheel of another environment:

    TEST_ENV/bin/python tests/support/see_torch.py TORCH_ENV/lib/python3.X/site-packages

A .pth file adds that folder to the path. Python's torch, unlike the C++ libraries that the engine links, loads
its CUDA half too, and an environment made for CPUs does not hold the 4 GB of libraries which that needs. Nothing
of them is called without a GPU, so the missing ones are stood in for by empty libraries of the same names, made
here with gcc from the symbols that torch asks for. They live in this environment alone: the engine never meets
them.
"""

import pathlib
import re
import subprocess
import sys
import sysconfig
import tempfile

# What torch asks of libraries that do not version their symbols is told by its name.
UNVERSIONED = {"libcufile": "cuFile", "libcusparseLt": "cusparseLt", "libnccl": "nccl", "libnvshmem_host": "nvshmem"}


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args], check=True, capture_output=True, text=True).stdout


def is_there(torch_packages, library):
    """Whether the torch wheel's own search path, or the system's, holds the library."""
    if any(torch_packages.glob(f"nvidia/*/lib/{library}")) or (torch_packages / "torch/lib" / library).exists():
        return True
    found = subprocess.run(["gcc", f"-print-file-name={library}"], check=True, capture_output=True, text=True)
    return found.stdout.strip() != library


def undefined_symbols(libraries):
    """(symbol, version or "") of everything that the libraries import."""
    for library in libraries:
        for line in readelf("--dyn-syms", str(library)).splitlines():
            match = re.search(r" UND (\w+)(?:@+([\w.]+))?", line)
            if match:
                yield match.group(1), match.group(2) or ""


def make_stub(library, imports, folder):
    prefix = UNVERSIONED.get(library.split(".so")[0], "\0")
    versions = {}
    for symbol, version in imports:
        if version == library or symbol.startswith(prefix):
            versions.setdefault(version, set()).add(symbol)
    names = sorted(set().union(*versions.values()))
    script = "".join(f"{version} {{ global: {'; '.join(sorted(names))}; }};\n"
                     for version, names in versions.items() if version)
    with tempfile.TemporaryDirectory() as work:
        source = pathlib.Path(work, "stub.c")
        source.write_text("".join(f"void {name}(void) {{ __builtin_trap(); }}\n" for name in names))
        command = ["gcc", "-shared", "-fPIC", "-fno-builtin", f"-Wl,-soname,{library}", "-o", str(folder / library)]
        if script:
            pathlib.Path(work, "versions").write_text(script)
            command.append(f"-Wl,--version-script={work}/versions")
        subprocess.run([*command, str(source)], check=True)


def main():
    torch_packages = pathlib.Path(sys.argv[1]).resolve()
    own_packages = pathlib.Path(sysconfig.get_paths()["purelib"])
    stubs = own_packages / "cuda_stubs"
    stubs.mkdir(exist_ok=True)
    halves = [torch_packages / "torch/lib" / f"lib{name}.so"
              for name in ("torch_python", "torch_cuda", "torch_nvshmem", "c10_cuda")]
    needed = sorted({name for half in halves for name in re.findall(r"NEEDED.*\[(.+)\]", readelf("-d", str(half)))})
    missing = [name for name in needed if not is_there(torch_packages, name)]
    imports = set(undefined_symbols(halves)) if missing else set()
    for library in missing:
        make_stub(library, imports, stubs)
    # A line of a .pth file that starts with "import" is run; a library that is loaded already is found by its name.
    paths = [str(stubs / name) for name in missing]
    load = f"import ctypes; list(map(ctypes.CDLL, {paths!r}))\n" if missing else ""
    (own_packages / "torch.pth").write_text(f"{torch_packages}\n{load}")


main()
