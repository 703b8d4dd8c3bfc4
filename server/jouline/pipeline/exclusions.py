"""Documents that no model is shown: files of secrets, what a user excludes, binary, huge and generated ones (pure)."""

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from pathspec import GitIgnoreSpec

from jouline.completion import CompletionRequest

# Zed's `disabled_globs`: narrow, because files such as config.json hold secrets seldom and code often.
SECRET_FILES = (".env*", "*.pem", "*.key", "*.cert", "*.crt", ".dev.vars", "secrets.yml")
SECRET_LANGUAGES = frozenset({"dotenv", "pem"})
MAX_LINE_CHARS = 10_000
"""A longer line was written by a program: a minified script, data."""
_REMEMBERED = 64  # files


class Exclusions:
    """Says of a document why no model is shown it."""

    def __init__(self, globs: Sequence[str] = ()) -> None:
        """`globs` are a user's own, written as in .gitignore, and add to those of secret files.

        Raises ValueError for one that cannot be read.
        """
        self._secret = GitIgnoreSpec.from_lines(SECRET_FILES)
        self._chosen = GitIgnoreSpec.from_lines(_anywhere(glob) for glob in globs)
        # Asked with every key, and the answer to a name never changes.
        self._judged = lru_cache(maxsize=_REMEMBERED)(self._judge)

    def of_file(self, uri: str, language: str) -> str | None:
        """Return in one sentence why a file is not shown to a model, judged by its name; None where it may be."""
        return self._judged(uri, language)

    def _judge(self, uri: str, language: str) -> str | None:
        path = unquote(urlsplit(uri).path).replace("\\", "/").lstrip("/")
        if self._chosen.match_file(path):
            return "This file is excluded (jouline.exclude)."
        if self._secret.match_file(path) or language in SECRET_LANGUAGES:
            return "Files of this name hold secrets, so no model is shown them."
        return None

    def of_place(self, request: CompletionRequest) -> str | None:
        """Return why a document is not shown to a model, judged by its name and by what is in it."""
        if reason := self.of_file(request.uri, request.language):
            return reason
        if "\0" in request.text:
            return "The document looks binary, as it holds a null character."
        if len(request.line_prefix) > MAX_LINE_CHARS:
            return f"The line is longer than {MAX_LINE_CHARS:,} characters, as only programs write."
        return None


def _anywhere(glob: str) -> str:
    """Return a glob that matches in any folder, as an editor tells no root to start from."""
    bare = glob.removeprefix("!")
    mark = glob[: len(glob) - len(bare)]
    return f"{mark}**/{bare}" if "/" in bare.rstrip("/") and not bare.startswith(("/", "**/")) else glob
