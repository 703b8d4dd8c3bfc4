"""A Hugging Face hub on loopback: the part of its protocol that a pull speaks, with faults to order.

HEAD names commit, size and SHA-256 in `X-Repo-Commit`, `X-Linked-Size` and `X-Linked-Etag` beside a redirect to the
store on another host (here `localhost` for `127.0.0.1`) that serves the bytes, with `Range`, as huggingface.co does
for large files. `paths-info` of its API tells the SHA-256 too.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


@dataclass(kw_only=True)
class Faults:
    """What goes wrong: `cuts` breaks that many transfers half way, `wrong_bytes` alters the bytes sent."""

    cuts: int = 0
    wrong_bytes: bool = False
    ignores_ranges: bool = False
    sends_too_much: bool = False
    strips_headers: bool = False
    hides_checksum: bool = False
    status: int | None = None
    error_code: str = ""
    token: str | None = None
    slowly: threading.Event | None = None


@dataclass(kw_only=True)
class HubServer:
    """Files by `repo/file`, the faults in force, and what was asked."""

    url: str
    files: dict[str, bytes]
    faults: Faults = field(default_factory=Faults)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, range
    tokens: list[str | None] = field(default_factory=list)

    @property
    def tokens_of_the_store(self) -> set[str | None]:
        """The tokens that reached the store, which is another host and must get none."""
        pairs = zip(self.asked, self.tokens, strict=True)
        return {token for (_, path, _), token in pairs if path.startswith("/store/")}

    @property
    def gets(self) -> list[str | None]:
        """The ranges asked of the store, in order; None for a whole file."""
        return [wanted for method, path, wanted in self.asked if method == "GET" and path.startswith("/store/")]


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[HubServer]:
    """Serve files on a free port of loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.hub = HubServer(url=f"http://127.0.0.1:{server.server_port}", files=files)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.hub  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    @property
    def hub(self) -> HubServer:
        return self.server.hub  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        repo, _, _ = self.path.removeprefix("/api/models/").partition("/paths-info/")
        files = {name.removeprefix(f"{repo}/"): data for name, data in self.hub.files.items() if name.startswith(repo)}
        known = {} if self.hub.faults.hides_checksum else files
        answer = json.dumps([_path_info(file, data) for file, data in known.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self) -> None:
        self.hub.asked.append((self.command, self.path, self.headers["Range"]))
        self.hub.tokens.append(self.headers["Authorization"])
        faults = self.hub.faults
        if faults.status is not None:
            self._refuse(faults.status, faults.error_code)
        elif (
            faults.token is not None
            and not self.path.startswith("/store/")
            and self.headers["Authorization"] != f"Bearer {faults.token}"
        ):
            self._refuse(401, "GatedRepo")
        elif self.path.startswith("/store/"):
            self._store(self.path.removeprefix("/store/"))
        else:
            self._resolve()

    def _resolve(self) -> None:
        repo, _, rest = self.path.strip("/").partition("/resolve/")
        _, _, file = rest.partition("/")
        data = self.hub.files.get(f"{repo}/{file}")
        if data is None:
            known = any(name.startswith(f"{repo}/") for name in self.hub.files)
            self._refuse(404, "EntryNotFound" if known else "RepoNotFound")
            return
        self.send_response(302)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-Size", str(len(data)))
        if not self.hub.faults.strips_headers:
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Location", f"http://localhost:{self.server.server_port}/store/{repo}/{file}")  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _store(self, name: str) -> None:
        faults, data = self.hub.faults, self.hub.files[name]
        start = 0
        if self.headers["Range"] and not faults.ignores_ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        body = bytes(255 - byte for byte in data[start:]) if faults.wrong_bytes else data[start:]
        body += b"more" if faults.sends_too_much else b""
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if faults.slowly is not None:
            self.wfile.write(body[: len(body) // 2])
            faults.slowly.wait(10)
            body = body[len(body) // 2 :]
        if faults.cuts > 0:
            faults.cuts -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _path_info(file: str, data: bytes) -> dict[str, object]:
    lfs = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return {"type": "file", "path": file, "oid": "0" * 40, "size": len(data), "lfs": lfs}
