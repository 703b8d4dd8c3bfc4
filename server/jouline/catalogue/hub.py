"""Model files from the Hugging Face hub: resumed, checked against the hub's own checksum, put in place at once.

Speaks the hub's protocol through huggingface_hub: a HEAD request names the commit (`X-Repo-Commit`), the size
(`X-Linked-Size`) and, for every large file, the SHA-256 (`X-Linked-Etag`); a GET with `Range` goes on where an earlier
one broke. `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`, the token of `hf auth login` and the usual proxy variables hold.
"""

import errno
import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout
from huggingface_hub import HfApi, constants, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import get_hf_file_metadata
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

from jouline import __version__
from jouline.cancel import CancelToken
from jouline.catalogue.card import HubFile, StageCard
from jouline.catalogue.families import check_markers
from jouline.catalogue.gguf_header import read_header
from jouline.catalogue.store import CHUNK_BYTES, ModelStore, checksum_file, partial_files
from jouline.errors import CatalogueError

TransportError: type[Exception] = HfHubHTTPError.__bases__[0]  # of the HTTP library that huggingface_hub was built on

SPARE_BYTES = 64 << 20
WIRE_BYTES = 64 << 10  # what a broken connection can cost
TRIES = 5  # in a row that bring nothing; each that brings something starts the count anew
WAIT_S = 2.0
TIMEOUT_S = 30.0

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFacts:
    """What the hub says of a file before it is fetched."""

    url: str
    size_bytes: int
    sha256: str


class PullProgress(Protocol):
    """Who is told how a pull goes on."""

    def waiting(self) -> None:
        """Another process is pulling the same file."""

    def bytes_done(self, done: int, total: int) -> None:
        """So many bytes are here, those of earlier tries included."""


def pull(
    stage: StageCard, store: ModelStore, progress: PullProgress, cancel: CancelToken, *, wait_s: float = WAIT_S
) -> Path:
    """Fetch a stage's file unless it is here already, and return its path.

    Nothing stands at that path until the file is whole and its checksum right; what has come so far is kept for the
    next try. Raises `CatalogueError` with one sentence for every failure, and `Cancelled`.
    """
    if stage.hub is None:
        raise CatalogueError(f"The model {stage.id} did not come from a hub, so it cannot be pulled.")
    if store.complete(stage):
        return store.path(stage)
    target = store.data_dir / stage.file
    with explained(stage.hub, target), _alone(target, progress):
        if not store.complete(stage):  # another process may have finished it meanwhile
            _fetch(stage, target, progress, cancel, wait_s)
    return target


def hub_facts(file: HubFile) -> HubFacts:
    """Ask the hub for the size and checksum of a file, and for the address of exactly this version of it."""
    url = hf_hub_url(file.repo, file.file, revision=file.revision)
    found = get_hf_file_metadata(url, token=None, headers=_headers())
    if found.size is None:
        raise CatalogueError(f"{_host()} does not say how large {file.file} is; try again or set another HF_ENDPOINT.")
    revision = found.commit_hash or file.revision
    checksum = found.etag if found.etag and _SHA256.fullmatch(found.etag) else _checksum_of_the_api(file, revision)
    exact = hf_hub_url(file.repo, file.file, revision=revision)
    return HubFacts(url=exact, size_bytes=found.size, sha256=checksum)


def _checksum_of_the_api(file: HubFile, revision: str) -> str:
    """Ask the hub's API, for mirrors whose headers lack the checksum."""
    api = HfApi(library_name="jouline", library_version=__version__)
    for found in api.get_paths_info(file.repo, [file.file], revision=revision):
        if isinstance(found, RepoFile) and found.lfs is not None:
            return found.lfs.sha256
    raise CatalogueError(
        f"{_host()} gives no checksum for {file.file}, so what it sends cannot be verified; set another HF_ENDPOINT."
    )


def _fetch(stage: StageCard, target: Path, progress: PullProgress, cancel: CancelToken, wait_s: float) -> None:
    assert stage.hub is not None  # noqa: S101  `pull` has checked it
    facts = hub_facts(stage.hub)
    known = stage.sha256 or facts.sha256
    partial = target.with_name(f".{target.name}.{known[:16]}.part")
    _make_room(partial, facts.size_bytes)
    download = _Download(facts, partial, progress, cancel)
    _persist(download, wait_s)
    if download.sha256() != known:
        partial.unlink()
        raise CatalogueError(
            f"What {_host()} sent for {stage.hub.file} is not the file it announced (the SHA-256 differs) and was "
            "thrown away; pull again, and if it happens again use another HF_ENDPOINT."
        )
    check_markers(read_header(partial), stage.fim)
    checksum_file(target).write_text(f"{known}  {target.name}\n", encoding="utf-8")
    partial.replace(target)
    for leftover in partial_files(target):
        leftover.unlink(missing_ok=True)


class _Download:
    """One file on its way: its bytes so far on disk, and their digest."""

    def __init__(self, facts: HubFacts, partial: Path, progress: PullProgress, cancel: CancelToken) -> None:
        self._facts = facts
        self._partial = partial
        self._progress = progress
        self._cancel = cancel
        self.done = 0
        self._digest = hashlib.sha256()
        self._take_up()

    @property
    def whole(self) -> bool:
        """Whether all bytes are here."""
        return self.done == self._facts.size_bytes

    def sha256(self) -> str:
        """Return the digest of what is here, in hex."""
        return self._digest.hexdigest()

    def attempt(self) -> None:
        """Ask for the missing bytes and write down what comes; raises what the HTTP library raises."""
        headers = _headers() | ({"Range": f"bytes={self.done}-"} if self.done else {})
        with get_session().stream(
            "GET", self._facts.url, headers=headers, follow_redirects=True, timeout=TIMEOUT_S
        ) as response:
            hf_raise_for_status(response)
            if self.done and response.status_code != HTTPStatus.PARTIAL_CONTENT:
                self._start_over()
            with self._partial.open("ab") as file:
                for chunk in response.iter_bytes(WIRE_BYTES):
                    self._write(file, chunk)

    def _take_up(self) -> None:
        if not self._partial.is_file():
            return
        if self._partial.stat().st_size > self._facts.size_bytes:
            self._partial.unlink()
            return
        with self._partial.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                self._count(chunk)

    def _start_over(self) -> None:
        self._partial.unlink()
        self.done, self._digest = 0, hashlib.sha256()

    def _write(self, file: Any, chunk: bytes) -> None:
        self._cancel.check()
        if self.done + len(chunk) > self._facts.size_bytes:
            raise CatalogueError(f"{_host()} sent more bytes than it announced; pull again.")
        file.write(chunk)
        file.flush()
        self._count(chunk)

    def _count(self, chunk: bytes) -> None:
        self.done += len(chunk)
        self._digest.update(chunk)
        self._progress.bytes_done(self.done, self._facts.size_bytes)


def _persist(download: _Download, wait_s: float) -> None:
    """Try until all is here, as long as one of the last few tries brought something."""
    failures = 0
    while not download.whole:
        before = download.done
        try:
            download.attempt()
        except TransportError as error:
            failures = 0 if download.done > before else failures + 1
            if isinstance(error, HfHubHTTPError) or failures >= TRIES:
                raise
        else:
            failures = 0 if download.done > before else failures + 1
            if failures >= TRIES:
                raise CatalogueError(f"{_host()} sends nothing more of this file; pull again later to go on.")
        if not download.whole:
            time.sleep(wait_s)


def _make_room(partial: Path, size_bytes: int) -> None:
    partial.parent.mkdir(parents=True, exist_ok=True)
    here = partial.stat().st_size if partial.is_file() else 0
    needed, free = size_bytes - here + SPARE_BYTES, shutil.disk_usage(partial.parent).free
    if free < needed:
        raise CatalogueError(
            f"{partial.parent} has {free / 1e9:.2f} GB free and this model needs {needed / 1e9:.2f} GB; "
            "make room or set JOULINE_HOME to a larger disk."
        )


@contextmanager
def _alone(target: Path, progress: PullProgress) -> Iterator[None]:
    """Hold the file's lock, which a dying process lets go of by itself."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _headers() -> dict[str, str]:
    return build_hf_headers(library_name="jouline", library_version=__version__)


def _host() -> str:
    return constants.ENDPOINT


@contextmanager
def explained(file: HubFile, target: Path) -> Iterator[None]:
    """Turn what huggingface_hub, the network and the disk raise into one sentence that says what to do."""
    try:
        yield
    except (HfHubHTTPError, TransportError, OfflineModeIsEnabled) as error:
        raise CatalogueError(_explain_network(error, file)) from error
    except OSError as error:
        raise CatalogueError(_explain_disk(error, target)) from error


REASONS: tuple[tuple[type[Exception], Callable[[HubFile], str]], ...] = (
    (GatedRepoError, lambda f: f"accept its licence at {_host()}/{f.repo} and set HF_TOKEN to a token of yours"),
    (RemoteEntryNotFoundError, lambda f: f"the repository has no file {f.file}; it may have been renamed there"),
    (RevisionNotFoundError, lambda f: f"the repository has no revision {f.revision}"),
    (RepositoryNotFoundError, lambda _: "there is no such repository, or it needs a token: set HF_TOKEN"),
)


def _explain_network(error: Exception, file: HubFile) -> str:
    if isinstance(error, OfflineModeIsEnabled):
        return "Pulling is switched off by HF_HUB_OFFLINE; unset it to pull a model."
    for kind, reason in REASONS:
        if isinstance(error, kind):
            return f"{file.repo} cannot be pulled from {_host()}: {reason(file)}."
    if isinstance(error, HfHubHTTPError):
        code = error.response.status_code
        return f"{_host()} answered with status {code} for {file.repo}; {_remedy(code)}; what has come so far is kept."
    if "Proxy" in type(error).__name__:
        return f"The proxy refuses the way to {_host()} ({error}); check HTTPS_PROXY and NO_PROXY."
    why = str(error) or type(error).__name__
    return (
        f"{_host()} cannot be reached ({why}); check the network, HTTPS_PROXY if there is a proxy, and HF_ENDPOINT "
        "if there is a mirror, then pull again: what has come so far is kept."
    )


def _remedy(code: int) -> str:
    if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "set HF_TOKEN to a token that may read it"
    if code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return "the proxy wants a name and password: write them into HTTPS_PROXY"
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return "it asks for fewer requests: pull again in some minutes"
    return "pull again later"


def _explain_disk(error: OSError, target: Path) -> str:
    if error.errno == errno.ENOSPC:
        return f"The disk of {target.parent} is full; make room and pull again: what has come so far is kept."
    return f"{target.parent} cannot be written ({error.strerror or error}); check its permissions."
