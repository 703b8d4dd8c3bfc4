"""The gate: golden places, `$0` marks the cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.completion import CompletionRequest
from jouline.router.gate import hold_back


def place(fixture: str, **options) -> CompletionRequest:
    """Return the request at the fixture's mark."""
    offset = fixture.index("$0")
    text = fixture[:offset] + fixture[offset + 2 :]
    return CompletionRequest(uri="file:///a.py", language="python", text=text, offset=offset, **options)


GOES_ON = [
    "import os\n\n\ndef read(path):\n    return $0\n",
    "import os\nimport sys\nprint(os.path.join($0))\n",
    "values = [1, 2, 3]\nnames = {'a': 1, $0}\n",
    "def read(path, mode$0):\n    pass\n",
    "for name in sorted(names)$0\n",
    "class Reader(Base)$0\n",
    "async def fetch(session)$0\n",
    "print(sorted(names.items()$0\n",
    "total = first + $0   \n",
    "import sys\n\n    $0",
    "# this is what happens when $0\n",
    "function read(path$0) {\n}\n",
    "while (read(fd, buf, $0)) {\n}\n",
    "    } else if ($0) {\n    }\n",
    "for name := range names$0 {\n}\n",
    "fn read<'a>(path: &'a str$0) {  \n}\n",
]

HELD_BACK = [
    ("import os\nresult = comp$0ute(values)\n", "inside a word"),
    ("import os\nresult = $0_values\n", "inside a word"),
    ("import os\nresult = $0 + values\n", "right of the cursor"),
    ("import os\nresult = f($0(1))\n", "right of the cursor"),
    ("x = $0\n", "Fewer than 10"),
    ("$0", "Fewer than 10"),
    ("\n\n\n\n\n\n\n\n\n\n\n\n$0", "Fewer than 10"),
    ("import os\nprint(sorted(names))$0\n", "closing bracket"),
    ("import os\nvalues = [1, 2, 3]$0\n", "closing bracket"),
    ("import os\nprint(names);$0", "semicolon"),
    ("int main(void)$0 {\n}\n", "closing bracket"),
    ("if (names.length) $0{\n}\n", "closing bracket"),
    ("const options = merge($0{})\n", "right of the cursor"),
    ("const options = merge($0{ deep: true })\n", "right of the cursor"),
    ("const options = $0{ deep }\n", "right of the cursor"),
]


@pytest.mark.parametrize("fixture", GOES_ON)
def test_promising_places_go_on(fixture):
    """Nothing is held back where a suggestion can be taken: line ends, open brackets, block heads, before closers."""
    assert hold_back(place(fixture)) is None


@pytest.mark.parametrize(("fixture", "reason"), HELD_BACK)
def test_hopeless_places_are_held_back_with_their_reason(fixture, reason):
    """Each hopeless place is held back with one sentence that names its own reason."""
    said = hold_back(place(fixture))

    assert said is not None
    assert reason in said
    assert said.endswith(".")


@pytest.mark.parametrize("fixture", [fixture for fixture, _ in HELD_BACK])
def test_an_explicit_request_always_passes(fixture):
    """Whoever asks by hand, or waives the gate, is never held back."""
    assert hold_back(place(fixture, trigger="invoked")) is None
    assert hold_back(place(fixture, gate=False)) is None


@given(text=st.text(max_size=60), data=st.data())
def test_any_text_and_cursor_is_judged(text, data):
    """The gate answers for every text and every cursor in it, also for ones that are no code."""
    offset = data.draw(st.integers(0, len(text)))
    said = hold_back(CompletionRequest(uri="", language="x", text=text, offset=offset))

    assert said is None or said.endswith(".")
