"""Where model files are, whether they are whole, and how they go away."""

import glob
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jouline.catalogue.card import CATALOGUE_FILE, Catalogue, PairCard, StageCard, bundled_folder, load_catalogue
from jouline.catalogue.gguf_header import read_header
from jouline.errors import CatalogueError

Presence = Literal["bundled", "local", "own", "absent"]

OWN_FILE = "own.toml"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStore:
    """The models on this machine: those that came with the program and those in `data_dir`, which pulls fill.

    `data_dir` need not exist. A card whose file is an absolute path is the user's own and is never removed.
    """

    data_dir: Path
    bundled_dir: Path

    @classmethod
    def under(cls, data_folder: Path) -> "ModelStore":
        """Return the store in the user's data folder, beside the models that came with the program."""
        return cls(data_dir=data_folder / "models", bundled_dir=bundled_folder())

    @property
    def own_file(self) -> Path:
        """Where the user's own models are listed; it need not exist."""
        return self.data_dir / OWN_FILE

    def catalogue(self) -> Catalogue:
        """Read the bundled catalogue and the user's own models."""
        own = [self.own_file] if self.own_file.is_file() else []
        return load_catalogue([self.bundled_dir / CATALOGUE_FILE, *own])

    def path(self, stage: StageCard) -> Path:
        """Return where the stage's file is, or where a pull would put it."""
        bundled = self.bundled_dir / stage.file
        return bundled if bundled.is_file() else self.data_dir / stage.file

    def presence(self, stage: StageCard) -> Presence:
        """Tell where the stage's file is. A file being pulled is absent."""
        if not self.path(stage).is_file():
            return "absent"
        if Path(stage.file).is_absolute():
            return "own"
        return "local" if self.path(stage).is_relative_to(self.data_dir) else "bundled"

    def complete(self, stage: StageCard) -> bool:
        """Tell whether the file is there and whole by its size and header, without reading all of it."""
        try:
            self.check(stage)
        except CatalogueError:
            return False
        return True

    def check(self, stage: StageCard) -> Path:
        """Return the stage's file once its header has been read and its size agrees; raise `CatalogueError` if not."""
        path = self.path(stage)
        if not path.is_file() and not Path(stage.file).is_absolute():
            where = f"not on this machine; {self._remedy(stage)}"
            missing = f"missing in {self.bundled_dir}, where it came with Jouline; {self._remedy(stage)}"
            raise CatalogueError(f"The model {stage.id} is {where if stage.hub else missing}.")
        header = read_header(path, remedy=self._remedy(stage))
        if stage.size_bytes is not None and header.size_bytes != stage.size_bytes:
            has = f"{header.size_bytes:,} bytes where the catalogue says {stage.size_bytes:,}"
            raise CatalogueError(f"{path} has {has}; {self._remedy(stage)}.")
        return path

    def check_pair(self, pair: PairCard) -> tuple[Path, Path]:
        """Return the small and the large file of a pair, both checked."""
        return self.check(pair.small), self.check(pair.large)

    def pair_complete(self, pair: PairCard) -> bool:
        """Tell whether both files of a pair are there and whole."""
        return self.complete(pair.small) and self.complete(pair.large)

    def verify(self, stage: StageCard, progress: Callable[[int], None] = lambda _bytes: None) -> str:
        """Read the whole file and return its SHA-256; raise `CatalogueError` where it differs from the known one.

        The known one is the card's, else what the hub said when the file was pulled. `progress` gets the bytes read
        so far.
        """
        path = self.check(stage)
        found, known = sha256_of(path, progress), self.known_sha256(stage)
        if known is not None and found != known:
            raise CatalogueError(f"{path} is not the file it should be (its SHA-256 differs); {self._remedy(stage)}.")
        return found

    def known_sha256(self, stage: StageCard) -> str | None:
        """Return the checksum that the file should have, or None where nobody ever said."""
        if stage.sha256 is not None:
            return stage.sha256
        note = checksum_file(self.path(stage))
        return note.read_text(encoding="ascii").split()[0] if note.is_file() else None

    def remove(self, stage: StageCard) -> int:
        """Delete a pulled file and return the bytes freed; raise `CatalogueError` for any other file."""
        path, presence = self.path(stage), self.presence(stage)
        if presence == "absent":
            raise CatalogueError(f"The model {stage.id} is not on this machine, so there is nothing to remove.")
        if presence != "local":
            whose = "came with Jouline" if presence == "bundled" else "is a file of your own"
            raise CatalogueError(f"The model {stage.id} {whose} and is not removed ({path}).")
        size = path.stat().st_size
        try:
            path.unlink()
            for beside in (checksum_file(path), *partial_files(path)):
                beside.unlink(missing_ok=True)
        except OSError as error:
            raise CatalogueError(f"{path} cannot be removed ({error.strerror}).") from error
        return size

    def _remedy(self, stage: StageCard) -> str:
        if stage.hub:
            return f"run `jouline models pull {stage.id}`"
        if Path(stage.file).is_absolute():
            return "restore it or choose another with `jouline models use`"
        return "restore it or install Jouline again"


def checksum_file(path: Path) -> Path:
    """Return where the checksum of a pulled file is kept, in the form that `sha256sum --check` reads."""
    return path.with_name(path.name + ".sha256")


def partial_files(path: Path) -> list[Path]:
    """Return what unfinished pulls of a file have left beside it."""
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*.part"))


def sha256_of(path: Path, progress: Callable[[int], None] = lambda _bytes: None) -> str:
    """Return the file's SHA-256 in hex, telling `progress` the bytes read so far."""
    digest, done = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                done += len(chunk)
                progress(done)
    except OSError as error:
        raise CatalogueError(f"{path} cannot be read ({error.strerror}).") from error
    return digest.hexdigest()
