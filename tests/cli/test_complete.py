"""`jouline complete`: bad input in one sentence, an answer as text or as one JSON document."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.cli.complete import _around, place
from jouline.cli.form import completion_fields
from jouline.cli.main import main
from jouline.cli.source import MAX_BYTES, read_source
from jouline.completion import Completion
from jouline.energy.ledger import FILE_NAME
from jouline.errors import ConfigError
from jouline.languages import language_of

CODE = "import os\n\n\ndef size(path):\n    return os.path.getsize(path)\n\n\ndef main():\n    print(si)\n"
PLACE = "9:13"
FIELDS = {
    "completion": str,
    "action": str,
    "reason": str,
    "model": (str, type(None)),
    "model_id": (str, type(None)),
    "models_run": list,
    "p_small_ok": (float, type(None)),
    "confidence": (float, type(None)),
    "timings_ms": dict,
    "tokens": dict,
    "energy": dict,
    "cpu_seconds": (float, type(None)),
}
PARTS = {
    "timings_ms": {"queue", "route", "prompt", "generate", "total"},
    "tokens": {"prompt", "prompt_evaluated", "generated", "drafted", "draft_accepted"},
    "energy": {
        *("joules", "method", "source", "joules_low", "joules_high", "router_joules"),
        *("baseline_model", "baseline_joules", "saved_joules", "saved_joules_stddev"),
    },
}


@pytest.fixture
def source(tmp_path):
    """Write a file to complete in."""
    path = tmp_path / "size.py"
    path.write_text(CODE, encoding="utf-8")
    return path


BAD_FILES = [
    pytest.param(None, "There is no file", id="no such file"),
    pytest.param("folder", "is a folder", id="folder"),
    pytest.param("größe".encode("latin-1"), "is not UTF-8", id="Latin-1"),
    pytest.param("x = 1\n".encode("utf-16"), "is not UTF-8", id="UTF-16"),
    pytest.param(b"x = 1\n" * (MAX_BYTES // 6 + 1), "has 5 MB", id="too large"),
    pytest.param(b"\x7fELF\0\0\0", "is a binary file", id="binary"),
]


def said(capsys) -> str:
    """Return the sentence on stderr; there must be one, and nothing on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("jouline: ")
    assert err.count("\n") == 1
    assert err.endswith(".\n")
    return err


@pytest.mark.parametrize(("content", "sentence"), BAD_FILES)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path, capsys, content, sentence):
    """Whatever is wrong with the file, it is named, and the status is 1."""
    path = tmp_path / "given.py"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    assert main(["complete", f"{path}:1:1"]) == 1
    assert sentence in said(capsys)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/stdin"])
def test_what_is_not_an_ordinary_file_is_not_read(capsys, device):
    """A device without an end does not fill the memory, a pipe does not wait for ever."""
    assert main(["complete", f"{device}:1:1"]) == 1
    said(capsys)


MALFORMED = ["", ":", "1:1", "{}", "{}:1", "{}:1:", "{}:0:1", "{}:1:0", "{}:-1:1", "{}:a:b", "{}:1.5:1", "{}:1:1:"]
MALFORMED += ["{}:1:" + "9" * 5000]


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda text: text[:20])
def test_a_place_that_is_written_wrong_is_wrong_usage(source, capsys, malformed):
    """Not FILE:LINE:COL, or counted from 0: the status is 2, as for any wrong usage."""
    with pytest.raises(SystemExit) as left:
        main(["complete", malformed.format(source)])
    out, err = capsys.readouterr()
    assert left.value.code == 2
    assert out == ""
    assert "is not a place; write FILE:LINE:COL with numbers from 1" in err


@pytest.mark.parametrize(
    ("content", "beyond", "sentence"),
    [
        (CODE, "99:1", "has 10 lines, so there is no line 99."),
        (CODE, "1:11", "has 9 characters, so there is no column 11."),
        ("x", "2:1", "has 1 line, so there is no line 2."),
        ("x", "1:3", "has 1 character, so there is no column 3."),
        ("", "1:2", "has 0 characters, so there is no column 2."),
    ],
)
def test_a_place_beyond_the_end_is_one_sentence(source, capsys, content, beyond, sentence):
    """Beyond the last line or column: the sentence says how far the file goes, and the status is 1."""
    source.write_text(content, encoding="utf-8")
    assert main(["complete", f"{source}:{beyond}"]) == 1
    assert sentence in said(capsys)


@given(text=st.text("ab\n\r😀", max_size=30), data=st.data())
def test_a_place_splits_the_text_as_an_editor_would(text, data, tmp_path_factory):
    """Prefix is what stands before the place; what follows begins at the line's end."""
    lines = text.split("\n")
    line = data.draw(st.integers(1, len(lines)))
    here = lines[line - 1].removesuffix("\r")
    column = data.draw(st.integers(1, len(here) + 1))
    before, behind = _around(text, line, column, tmp_path_factory.getbasetemp())

    assert text.startswith(before)
    assert before.count("\n") == line - 1
    assert len(before) - (before.rfind("\n") + 1) == column - 1
    assert behind in {"", text[-len(behind) :]}
    assert behind[:1] in {"", "\n"}


def test_a_place_may_have_colons_in_its_path():
    """Only the last two numbers are line and column."""
    path, line, column = place("C:\\code\\a:1.py:20:3")
    assert (str(path), line, column) == ("C:\\code\\a:1.py", 20, 3)


def test_a_byte_order_mark_is_no_text(tmp_path):
    """Column 1 is the first character behind it."""
    path = tmp_path / "bom.py"
    path.write_bytes(b"\xef\xbb\xbfx = 1\n")
    assert read_source(path) == "x = 1\n"


def test_an_unreadable_file_is_one_sentence(tmp_path, monkeypatch):
    """Missing permission is told, not raised."""
    path = tmp_path / "secret.py"
    path.write_text("x")
    monkeypatch.setattr(type(path), "read_bytes", lambda _self: (_ for _ in ()).throw(PermissionError()))
    with pytest.raises(ConfigError, match="may not be read"):
        read_source(path)


def test_languages_are_told_by_name(tmp_path):
    """Known endings have their language, others are plain text."""
    names = ["a.py", "A.PY", "b.tsx", "c.unknown", "Makefile"]
    languages = [language_of(tmp_path / name) for name in names]
    assert languages == ["python", "python", "typescriptreact", "plaintext", "plaintext"]


def assert_is_a_completion(document: dict) -> None:
    """Check names and kinds of the contract's fields; more may be added."""
    assert set(FIELDS) <= set(document)
    for name, kind in FIELDS.items():
        assert isinstance(document[name], kind), name
    for name, parts in PARTS.items():
        assert parts <= set(document[name]), name
    assert document["action"] in {"generate", "cache", "skip", "none"}
    assert document["energy"]["method"] in {"measured", "attributed", "estimated", "unavailable"}


def test_a_completion_has_the_contracts_fields():
    """What is unknown is null, never 0."""
    document = json.loads(json.dumps(completion_fields(Completion(id="1", text="", action="skip", reason="Why."))))
    assert_is_a_completion(document)
    unknown = ["model", "model_id", "p_small_ok", "confidence", "cpu_seconds"]
    assert [document[name] for name in unknown] == [None] * 5
    assert document["energy"]["joules"] is None


@pytest.mark.model
@pytest.mark.parametrize("route", ["auto", "small", "large", "embedded-large"])
def test_json_is_one_document(source, capsys, route):
    """With `--json` stdout holds exactly one document with the contract's fields, measured or estimated."""
    assert main(["complete", f"{source}:{PLACE}", "--json", "--route", route]) == 0
    out, _ = capsys.readouterr()
    document = json.loads(out)

    assert_is_a_completion(document)
    assert out.count("\n") == 1
    assert document["models_run"]
    assert document["tokens"]["generated"] > 0
    if route != "auto":
        assert document["models_run"] == [route.removeprefix("embedded-")]


@pytest.mark.model
def test_plain_text_is_the_completion_alone(source, capsys):
    """Without `--json` stdout is the text, or a sentence in brackets where there is none."""
    assert main(["complete", f"{source}:{PLACE}", "--route", "large"]) == 0
    plain = capsys.readouterr().out
    assert main(["complete", f"{source}:{PLACE}", "--route", "large", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)

    assert plain == (document["completion"] or f"(nothing: {document['reason']})") + "\n"


@pytest.mark.model
def test_an_unknown_route_is_one_sentence(source, capsys):
    """The models that there are are named."""
    assert main(["complete", f"{source}:{PLACE}", "--route", "huge"]) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert "no route 'huge'" in last
    assert "embedded-small" in last


@pytest.mark.model
@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b"x = 1", b"a\r\nb\r\n"])
def test_the_smallest_files_are_answered(tmp_path, capsys, content):
    """An empty file is a file; its one place is line 1, column 1."""
    path = tmp_path / "small.py"
    path.write_bytes(content)
    assert main(["complete", f"{path}:1:1", "--json", "--route", "small"]) == 0
    assert_is_a_completion(json.loads(capsys.readouterr().out))


@pytest.mark.model
@pytest.mark.parametrize("broken", ["home", "ledger", "costs"])
def test_what_cannot_be_kept_is_said_once(source, tmp_path, broken):
    """An answer is given all the same; stderr has one sentence with the command's name, and no library's warning."""
    home, sentence = tmp_path / "home", {"home": "Nothing can be kept in ", "ledger": "was damaged"}
    if broken == "home":
        home.write_text("a file")
    else:
        (home / "data").mkdir(parents=True)
        (home / "data" / {"ledger": FILE_NAME, "costs": "costs.json"}[broken]).write_text("nonsense " * 99)
    command = [sys.executable, "-m", "jouline", "complete", f"{source}:{PLACE}", "--json", "--route", "small"]
    environ = os.environ | {"JOULINE_HOME": str(home)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)

    assert_is_a_completion(json.loads(done.stdout))
    (line,) = done.stderr.splitlines()
    assert line.startswith("jouline: ")
    assert sentence.get(broken, "costs.json cannot be used") in line
