"""The shape of the code: layers, size, names, docstrings. ARCHITECTURE.md says why."""

import ast
import functools
import logging.config
import re
from collections.abc import Iterator
from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "server" / "jouline"
MODULES = sorted(SOURCE.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 400, 70
JUNK_DRAWERS = {"utils", "util", "helpers", "helper", "common", "manager", "service", "misc", "shared"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    """Return the functions and methods of a module, inner ones too."""
    return (node for node in ast.walk(_tree(path)) if isinstance(node, Function))


def name(path: Path) -> str:
    """Return a module's path as a reader knows it."""
    return path.relative_to(SOURCE).as_posix()


def test_imports_go_one_way(capsys, monkeypatch):
    """Layers and lone importers (llama.cpp, ONNX, LSP, training libraries) are as pyproject.toml has them."""
    monkeypatch.setattr(logging.config, "dictConfig", lambda _: None)  # it would switch off the loggers of other tests
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)
    assert status == 0, capsys.readouterr().out


def test_there_is_code():
    """The rules below are about something."""
    assert len(MODULES) > 60


def test_files_are_short():
    """Nobody has to read more than 400 lines at once."""
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {module: length for module, length in lengths.items() if length > FILE_LINES} == {}


def test_functions_are_short():
    """No function is longer than 70 lines, and half of them have at most 8."""
    lengths = {(name(path), one.name, one.lineno): _length(one) for path in MODULES for one in functions(path)}
    assert {where: length for where, length in lengths.items() if length > FUNCTION_LINES} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 8


def test_names_say_what_is_in_them():
    """No module is a drawer for whatever has no place."""
    assert [name(path) for path in MODULES if JUNK_DRAWERS & {path.stem, path.parent.name}] == []


def test_what_is_public_is_documented():
    """Every public class, function and method says in its first sentence what a caller may rely on."""
    silent = [
        f"{name(path)}: {node.name}"
        for path in MODULES
        for node in _public(_tree(path))
        if not re.search(r"[.:?]$", (ast.get_docstring(node) or "").split("\n\n")[0])
    ]
    assert silent == []


def test_no_path_of_anyones_machine():
    """The source speaks of the project alone."""
    private = re.compile(r"[\"' ](/[r]oot/|/[w]ork/|/home/|~/)")
    assert [name(path) for path in MODULES if private.search(path.read_text(encoding="utf-8"))] == []


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _length(function: Function) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | Function]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_") and not _attribute(node):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _attribute(node: ast.ClassDef | Function) -> bool:
    """Whether this is a mere attribute that a protocol names: `@property def name(self) -> Type: ...`."""
    return bool(node.decorator_list) and ast.unparse(node.body[0]) == "..."
