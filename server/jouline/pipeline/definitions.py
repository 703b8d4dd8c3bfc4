"""What imported names are: the heads of their definitions, from the modules that a document imports them from."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jouline.pipeline.scene import Excerpt, Scene

MAX_BYTES = 200_000
_IMPORTS_CHARS = 8_000  # imports stand at a document's beginning
_NEAR_CHARS = 1_500
_MEMBERS = 8
_MOST_PARENTS = 6
_PYTHON_IMPORT = re.compile(r"^from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^\n#]*))", re.MULTILINE)
_SCRIPT_IMPORT = re.compile(r"""^import\s+(?:type\s+)?\{([^}]*)\}\s+from\s+["'](\.[^"'\n]*)["']""", re.MULTILINE)
_SCRIPTS = ("javascript", "javascriptreact", "typescript", "typescriptreact")
_ENDINGS = (".ts", ".tsx", ".js", ".jsx", "/index.ts", "/index.js")

Read = Callable[[Path], str | None]


def read_source(path: Path) -> str | None:
    """Return a file's text; None where it is no readable text file of a sane size."""
    try:
        return path.read_text(encoding="utf-8") if path.is_file() and path.stat().st_size <= MAX_BYTES else None
    except (OSError, ValueError):
        return None


class Definitions:
    """Gathers the heads of definitions behind a document's imports, for the names used near the cursor."""

    def __init__(self, read: Read = read_source) -> None:
        self._read = read

    def __call__(self, scene: Scene) -> Iterator[Excerpt]:
        """Yield one excerpt for each imported name that stands near the cursor and whose module is found."""
        request = scene.request
        near = request.text[max(0, request.offset - _NEAR_CHARS) : request.offset + _NEAR_CHARS]
        for name, places in _imports(request.uri, request.language, request.text[:_IMPORTS_CHARS]):
            if not re.search(rf"\b{re.escape(name)}\b", near[_imports_end(near) :]):
                continue
            for path in places:
                known = scene.visited.get(path.as_uri())
                text = known.text if known else self._read(path)
                head = _head(text, name) if text else ""
                if head:
                    yield Excerpt(name=path.name, text=head)
                if text:
                    break


def _imports_end(near: str) -> int:
    found = list(re.finditer(r"^(?:from|import)\b[^\n]*\n", near, re.MULTILINE))
    return found[-1].end() if found else 0


def _imports(uri: str, language: str, text: str) -> Iterator[tuple[str, list[Path]]]:
    """Yield the names that a document imports and where their modules may lie."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return
    folder = Path(unquote(parts.path)).parent
    if language == "python":
        for dots, module, bracketed, plain in _PYTHON_IMPORT.findall(text):
            places = _python_places(folder, len(dots), module)
            for name in _names(bracketed or plain, " as "):
                yield name, places
    elif language in _SCRIPTS:
        for names, module in _SCRIPT_IMPORT.findall(text):
            places = [folder / f"{module}{ending}" for ending in _ENDINGS]
            for name in _names(names, " as "):
                yield name, places


def _names(text: str, renamed: str) -> list[str]:
    names = (part.split(renamed)[0].strip() for part in text.replace("\n", ",").split(","))
    return [name for name in names if name.isidentifier()]


def _python_places(folder: Path, dots: int, module: str) -> list[Path]:
    if dots:
        roots = [folder.parents[dots - 2] if 1 < dots <= len(folder.parents) + 1 else folder]
    else:
        roots = [folder, *folder.parents][:_MOST_PARENTS]
    part = module.replace(".", "/")
    return [root / ending for root in roots for ending in (f"{part}.py", f"{part}/__init__.py") if part or dots]


def _head(text: str, name: str) -> str:
    """Return the lines that introduce a definition: a function's, a class's with its methods', an assignment's."""
    found = re.search(
        rf"^(?:export[ \t]+)?(?:default[ \t]+)?(?:async[ \t]+)?(?:def|class|function|interface|type|const|enum)[ \t]+"
        rf"{re.escape(name)}\b[^\n]*|^{re.escape(name)}[ \t]*[:=][^\n]*",
        text,
        re.MULTILINE,
    )
    if not found:
        return ""
    head = [found.group()]
    if re.match(r"(?:export\s+)?(?:class|interface)\b", head[0]):
        body = text[found.end() : found.end() + MAX_BYTES // 10]
        end = re.search(r"^\S", body, re.MULTILINE)
        members = re.findall(
            r"^[ \t]+(?:async[ \t]+)?def[ \t]+[^\n]*", body[: end.start() if end else None], re.MULTILINE
        )
        head += members[:_MEMBERS]
    return "\n".join(head) + "\n"
