"""Code that the embedded pair has never seen: pinned packages, split whole into train, validate and test."""

import re
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

from jouline.errors import ConfigError

PARTS = ("train", "validate", "test")
_PART = re.compile(r"# \[(\w+)\]")


def locked() -> dict[str, list[str]]:
    """Return the requirement lines (`name==version --hash=…`) of each part."""
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    part = ""
    for line in files("jouline.lab").joinpath("packages.lock").read_text(encoding="utf-8").splitlines():
        if match := _PART.match(line):
            part = match.group(1)
        elif line and not line.startswith("#"):
            parts[part].append(line)
    return parts


def fetch(part: str, folder: Path) -> list[Path]:
    """Return the folders of a part's unpacked packages, each named after its package, fetching what is missing.

    Wheels are checked against their hashes by pip. Raises `ConfigError` when they cannot be fetched.
    """
    lines = locked()[part]
    roots = [folder / part / line.split("==")[0] for line in lines]
    missing = [line for line, root in zip(lines, roots, strict=True) if not root.is_dir()]
    if missing:
        wheels = folder / "wheels"
        _download(missing, wheels, folder / f"{part}.txt")
        for line in missing:
            name, version = line.split()[0].split("==")
            _unpack(wheels, name, version, folder / part)
    return roots


def _download(lines: list[str], wheels: Path, wanted: Path) -> None:
    wheels.mkdir(parents=True, exist_ok=True)
    wanted.write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(wheels), "--requirement", str(wanted)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigError(f"The packages to train the router on cannot be fetched ({last}).")


def _unpack(wheels: Path, name: str, version: str, folder: Path) -> None:
    """Unpack a wheel's Python sources; the folder appears only when all of them are there."""
    wheel = next(wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    target, partial = folder / name, folder / f".{name}"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(partial, [entry for entry in archive.namelist() if entry.endswith(".py")])
    partial.rename(target)
