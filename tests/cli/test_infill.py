"""`jouline infill`: rows in, the same rows with completions out, in order, resumable."""

import json

import pytest

from jouline.cli import infill
from jouline.cli.infill import _complete, _count_done
from jouline.cli.main import main
from jouline.completion import Completion
from jouline.errors import ConfigError, EngineError


class Scripted:
    """An application that answers each request as the test says, and remembers what it was asked."""

    def __init__(self, text: str = "answer", replace: int = 0) -> None:
        self.text, self.replace = text, replace
        self.asked = []

    def complete(self, request, _cancel):
        self.asked.append(request)
        if request.prefix == "break":
            raise EngineError("The model is gone.")
        return Completion(id="1", text=self.text, replace=self.replace, action="generate", reason="So.")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass


@pytest.fixture
def scripted(monkeypatch) -> Scripted:
    """Put a scripted application in the place of the models."""
    app = Scripted()
    monkeypatch.setattr(infill, "open_app", lambda *_, **__: app)
    return app


@pytest.fixture
def files(tmp_path):
    """Return where rows are read and written."""
    return tmp_path / "in.jsonl", tmp_path / "out.jsonl"


def run(files, *options: str) -> int:
    """Run the command on the files."""
    return main(["infill", "--in", str(files[0]), "--out", str(files[1]), *options])


def rows(path) -> list[dict]:
    """Read JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


GOOD = [{"task_id": number, "prompt": f"x{number} = ", "suffix": "\n"} for number in range(4)]


def write(path, given) -> None:
    """Write rows, text as it is and dicts as JSON."""
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in given)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", errors="surrogatepass")


def test_rows_keep_their_order_and_their_fields(scripted, files):
    """Each row comes back whole, with its completion and the fields of every completion."""
    write(files[0], [{**row, "own": [1]} for row in GOOD])
    assert run(files, "--route", "large", "--energy-saving", "7", "--multiline", "never") == 0
    out = rows(files[1])

    assert [row["task_id"] for row in out] == [0, 1, 2, 3]
    assert all(row["own"] == [1] and row["completion"] == "answer" and "energy" in row for row in out)
    wishes = {(one.route, one.energy_saving, one.multiline) for one in scripted.asked}
    assert wishes == {("large", 7, "never")}
    assert not any(one.gate or one.cache for one in scripted.asked)


def test_a_row_may_name_its_language(scripted, files):
    """By the editors' identifier; Python is the language of rows that name none, or no text."""
    write(files[0], [{**GOOD[0], "language": "go"}, GOOD[1], {**GOOD[2], "language": 3}])
    assert run(files) == 0
    assert [one.language for one in scripted.asked] == ["go", "python", "python"]


BAD_ROWS = [
    "not json",
    "[1]",
    "[" * 100_000,
    '"text"',
    '{"task_id": 1}',
    '{"task_id": 1, "prompt": 5}',
    '{"task_id": 1, "prompt": "a", "suffix": 5}',
    '{"task_id": 1, "prompt": "break", "suffix": ""}',
]


@pytest.mark.parametrize("bad", BAD_ROWS, ids=lambda bad: bad[:30])
def test_a_bad_row_gets_an_error_and_the_rest_goes_on(scripted, files, bad):
    """The row says in one sentence what is wrong with it; those after it are answered."""
    write(files[0], [GOOD[0], bad, GOOD[2]])
    assert run(files) == 0
    first, second, third = rows(files[1])

    assert first["completion"] == third["completion"] == "answer"
    assert second["error"].endswith(".")
    assert "completion" not in second


ODD_TEXTS = ["a\u2028b\u2029c\x85d", "\x0b\x0c\x1c", "\ud83d", "漢字😀", "\r\n\r", "\0"]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
def test_any_text_goes_through_as_it_is(scripted, files, text):
    """Line separators, controls, halves of surrogate pairs: one row stays one row, and stays itself."""
    given = [{"task_id": 1, "prompt": text, "suffix": text}, GOOD[1]]
    files[0].write_text("".join(json.dumps(row, ensure_ascii=text == "\ud83d") + "\n" for row in given), "utf-8")
    assert run(files) == 0
    assert run(files) == 0  # again: it knows that all is done
    out = rows(files[1])

    assert [row["prompt"] for row in out] == [text, GOOD[1]["prompt"]]
    assert len(scripted.asked) == 2


@pytest.mark.parametrize("done", range(5))
@pytest.mark.parametrize("torn", ["", '{"task_id": 3, "pro', "\ufffd"])
def test_it_goes_on_where_it_was_stopped(scripted, files, done, torn):
    """Rows that are there are not asked again; a torn last line is written anew."""
    write(files[0], GOOD)
    assert run(files) == 0
    whole = files[1].read_text(encoding="utf-8")
    kept = "".join(whole.splitlines(keepends=True)[:done])
    files[1].write_bytes((kept + torn).encode()[: -1 if torn == "\ufffd" else None])
    scripted.asked.clear()

    assert run(files) == 0
    assert files[1].read_text(encoding="utf-8") == whole
    assert len(scripted.asked) == 4 - done


FOREIGN = ["notes of mine\n", "[1]\n", '{"task_id": 9}\n', '{"task_id": 0}\n' * 5, "notes without an end\n{", b"\xff\n"]


@pytest.mark.parametrize("content", FOREIGN, ids=ascii)
def test_a_foreign_output_is_refused_and_left_alone(scripted, files, capsys, content):
    """What is not the beginning of these answers is never written to."""
    write(files[0], GOOD)
    content = content if isinstance(content, bytes) else content.encode()
    files[1].write_bytes(content)
    assert run(files) == 1
    out, err = capsys.readouterr()

    assert files[1].read_bytes() == content
    assert (out, err.count("\n")) == ("", 1)
    assert not scripted.asked


def test_what_cannot_be_read_or_written_is_one_sentence(scripted, files, capsys, tmp_path):
    """No such input, a folder, an output in no folder or that is one."""
    good = tmp_path / "good.jsonl"
    odd = tmp_path / "odd" / "out.jsonl"
    write(good, GOOD)
    pairs = [(files[0], files[1]), (tmp_path, files[1]), (good, tmp_path), (good, odd)]
    for pair in pairs:
        assert run(pair) == 1
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1), pair
        assert err.startswith("jouline: ")


def test_a_line_that_is_not_utf8_is_that_rows_error(scripted, files):
    """The others are answered, the order is kept, and another run finds all of it done."""
    latin = '{"task_id": 1, "prompt": "größe"}\n'.encode("latin-1")
    first, last = (json.dumps(row).encode() + b"\n" for row in (GOOD[0], GOOD[2]))
    files[0].write_bytes(first + latin + last)
    assert run(files) == run(files) == 0
    out = rows(files[1])

    assert [row.get("task_id") for row in out] == [0, None, 2]
    assert out[1]["error"] == "This line is not UTF-8 text."
    assert out[0]["completion"] == out[2]["completion"] == "answer"
    assert len(scripted.asked) == 2


OTHER_WISHES = [("--route", "large"), ("--energy-saving", "7"), ("--multiline", "never")]


@pytest.mark.parametrize("other", OTHER_WISHES, ids=lambda options: options[0])
@pytest.mark.parametrize("bad", [False, True])
def test_answers_that_were_asked_for_otherwise_are_not_mixed(scripted, files, capsys, other, bad):
    """Each row says what was asked; under other settings its file is refused in one sentence and stays as it is."""
    write(files[0], ["not json"] if bad else GOOD)
    assert run(files) == 0
    whole = files[1].read_bytes()
    (asked,) = {json.dumps(row["asked"]) for row in rows(files[1])}
    files[1].write_bytes(whole + b'{"torn')
    before = len(scripted.asked)

    assert json.loads(asked).keys() == {"route", "energy_saving", "multiline"}
    assert run(files, *other) == 1
    err = capsys.readouterr().err
    assert "other settings; name another output file." in err
    assert err.count("\n") == 1
    assert files[1].read_bytes() == whole + b'{"torn'
    assert len(scripted.asked) == before


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
def test_the_input_is_never_the_output(scripted, files, capsys, link):
    """One file under one name or two: one sentence, and the rows stay as they are."""
    write(files[0], GOOD)
    target = files[0]
    if link:
        target = files[1]
        getattr(target, link)(files[0])
    before = files[0].read_bytes()

    assert run((files[0], target)) == 1
    assert capsys.readouterr().err == f"jouline: {target} is the input itself; name another output file.\n"
    assert files[0].read_bytes() == before


def test_no_rows_are_no_error(scripted, files):
    """An empty input gives an empty output; blank lines and a byte order mark are no rows."""
    files[0].write_text("\ufeff\n  \n\n", encoding="utf-8")
    assert run(files) == 0
    assert files[1].read_text(encoding="utf-8") == ""


def test_a_byte_order_mark_does_not_spoil_the_first_row(scripted, files):
    """Files from some editors begin with one."""
    files[0].write_text("\ufeff" + json.dumps(GOOD[0]) + "\n", encoding="utf-8")
    assert run(files) == 0
    assert "error" not in rows(files[1])[0]


FITTING = [
    ("x = ", "\n", "answer", 0, "answer"),
    ("x = f(", ")\n", "a)", 1, "a"),  # the text brings what the suffix has: it is not there twice
    ("x = f(", ")\n", "a", 0, "a"),
    ("def f():\n", "    return 1\n", "    x = 1", 0, "    x = 1\n"),
    ("def f():\n", "", "    x = 1", 0, "    x = 1\n"),
    ("def f():\n", "\nx\n", "    x = 1", 0, "    x = 1"),
]


@pytest.mark.parametrize(("prompt", "suffix", "text", "replace", "fits"), FITTING)
def test_the_completion_fits_between_prompt_and_suffix(prompt, suffix, text, replace, fits):
    """Prompt, completion and suffix, one after the other, are the finished text."""
    app = Scripted(text, replace)
    wishes = {"route": "auto", "energy_saving": 50, "multiline": "auto"}
    fields = _complete(app, prompt, suffix, wishes)

    assert fields["completion"] == fits
    assert app.asked[0].prefix == prompt


def test_an_output_that_is_not_there_has_nothing_done(tmp_path):
    """And a folder is no output."""
    assert _count_done(tmp_path / "none.jsonl", [], {}) == 0
    with pytest.raises(ConfigError, match="cannot be added to"):
        _count_done(tmp_path, [], {})


@pytest.mark.model
def test_the_embedded_pair_answers_rows(files):
    """With the real models each row has a text, its model, and what it cost."""
    given = [{"task_id": "a", "prompt": "import os\n\n\ndef size(path):\n    return os.pa", "suffix": "\n"}]
    write(files[0], given)
    assert run(files, "--route", "large") == 0
    (row,) = rows(files[1])

    assert row["models_run"] == ["large"]
    assert row["completion"].startswith("th")
    assert row["energy"]["method"] in {"measured", "attributed", "estimated", "unavailable"}
