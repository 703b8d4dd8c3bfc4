"""TypeScript and JavaScript of the corpus: npm tarballs, pinned by version and integrity, that hold sources.

What npm publishes is mostly bundled, compiled or minified; the lock names the folders of each tarball where the sources
lie as they were written.
"""

import base64
import hashlib
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jouline.errors import JoulineError

LOCK = Path(__file__).with_name("corpus-npm.lock")
LINE = re.compile(r"((?:@[a-z0-9.-]+/)?[a-z0-9.-]+)@([\w.-]+) sha512-([A-Za-z0-9+/]{86}==) ([\w./,-]+)")
SOURCE = re.compile(r"(?<!\.d)(?<!\.min)\.[cm]?[jt]sx?$")
BATCH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A line of the lock: a package at a version, the SHA-512 of its tarball in base64, its folders of sources."""

    name: str
    version: str
    sha512: str
    folders: tuple[str, ...]

    @property
    def specifier(self) -> str:
        """Name and version as npm takes them."""
        return f"{self.name}@{self.version}"

    @property
    def file(self) -> str:
        """The tarball's file name, as `npm pack` chooses it."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"


def pinned(lock: Path = LOCK) -> list[Pin]:
    """Every package that the lock names, in its order."""
    lines = map(LINE.fullmatch, lock.read_text("utf-8").splitlines())
    return [
        Pin(name=line[1], version=line[2], sha512=line[3], folders=tuple(line[4].split(","))) for line in lines if line
    ]


def download(folder: Path, pins: Iterable[Pin]) -> None:
    """Fetch the tarballs that a folder lacks with `npm pack`, which runs no script of theirs."""
    missing = [pin.specifier for pin in pins if not (folder / pin.file).exists()]
    for start in range(0, len(missing), BATCH):
        command = ["npm", "pack", "--silent", "--ignore-scripts", f"--pack-destination={folder}"]
        try:
            ended = subprocess.run(
                [*command, *missing[start : start + BATCH]], stdout=subprocess.DEVNULL, check=False
            ).returncode
        except FileNotFoundError:
            raise JoulineError(
                "the corpus needs npm for its TypeScript and JavaScript; install Node.js first"
            ) from None
        if ended:
            raise JoulineError("the corpus could not be downloaded; npm says why above; check the network, run again")


def check(tarball: Path, pin: Pin) -> None:
    """Refuse a tarball that is missing or is not the one that the lock names."""
    if not tarball.exists():
        raise JoulineError(f"the tarball of {pin.specifier} is not in {tarball.parent}; download the corpus again")
    if base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode() != pin.sha512:
        raise JoulineError(f"{tarball} is not what the lock names; delete it and download the corpus again")


def files(pin: Pin, tarball: Path) -> Iterator[tuple[str, str, bytes]]:
    """(package, path, content) of every source file in the folders that the lock names, in the order of their names."""
    with tarfile.open(tarball) as archive:
        members = {member.name.partition("/")[2]: member for member in archive if member.isfile()}
        for path in sorted(members):
            content = archive.extractfile(members[path]) if SOURCE.search(path) and _within(path, pin.folders) else None
            if content:
                yield pin.name, path, content.read()


def _within(path: str, folders: tuple[str, ...]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) or folder == "." for folder in folders)
