"""Documents that no model is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.places import place

from jouline.pipeline.exclusions import MAX_LINE_CHARS, Exclusions


@pytest.mark.parametrize(
    "path",
    [".env", ".env.local", "app/.env", ".envrc", "server.pem", "a/b.key", "x.cert", "x.crt", ".dev.vars",
     "config/secrets.yml", "a%20b/id.pem"],
)  # fmt: skip
def test_files_of_secrets_are_not_shown(path):
    """By their names, wherever they lie."""
    assert "secrets" in Exclusions().of_file(f"file:///home/me/project/{path}", "plaintext")


@pytest.mark.parametrize("path", ["a.py", "env.py", "keys.py", "config.json", "settings.json", "environment.ts", "key"])
def test_ordinary_files_are_shown(path):
    """The list is narrow: names that hold code often are not on it."""
    assert Exclusions().of_file(f"file:///home/me/project/{path}", "python") is None


def test_an_editors_language_tells_what_a_name_does_not():
    """An unsaved document of secrets has no name yet."""
    assert Exclusions().of_file("untitled:Untitled-1", "dotenv")


@pytest.mark.parametrize(
    ("glob", "path", "excluded"),
    [
        ("*.min.js", "a/b.min.js", True),
        ("*.min.js", "a/b.js", False),
        ("generated/", "src/generated/a.py", True),
        ("src/generated/**", "home/me/src/generated/a.py", True),
        ("src/generated/**", "home/me/src/a.py", False),
        ("/etc/**", "etc/hosts", True),
        ("/etc/**", "home/etc/hosts", False),
    ],
)
def test_a_users_globs_add_to_them(glob, path, excluded):
    """They match as in .gitignore, with no root to start from."""
    exclusions = Exclusions([glob])
    assert bool(exclusions.of_file(f"file:///{path}", "python")) == excluded
    assert exclusions.of_file("file:///home/.env", "plaintext")


def test_the_reason_names_the_setting():
    """Who excluded a file finds where."""
    assert "jouline.exclude" in Exclusions(["*.py"]).of_file("file:///a.py", "python")


def test_binary_and_generated_text_is_not_shown():
    """A null character, or a line that no person writes."""
    exclusions = Exclusions()
    assert "binary" in exclusions.of_place(place("a\0b$0"))
    assert "longer" in exclusions.of_place(place("x" * (MAX_LINE_CHARS + 1) + "$0"))
    assert exclusions.of_place(place("x = $0")) is None


def test_an_answer_that_is_remembered_is_that_of_its_own_name():
    """Asked again, in other languages, and after more files than are remembered, each name keeps its answer."""
    exclusions = Exclusions(["*.gen.py"])
    names = [f"file:///{number}.{kind}" for number in range(50) for kind in ("gen.py", "py", "key")]
    for _ in range(2):
        for name in names:
            assert exclusions.of_file(name, "python") == Exclusions(["*.gen.py"]).of_file(name, "python")
            assert exclusions.of_file(name, "pem")


@given(uri=st.text(max_size=30), language=st.text(max_size=8))
def test_any_address_has_an_answer(uri, language):
    """Whatever an editor calls its documents."""
    reason = Exclusions(["a/*"]).of_file(f"file:///{uri}", language)
    assert reason is None or reason.endswith(".")
