"""A row passes when the program it makes passes the problem's tests within its limits."""

import pytest

from jouline.lab.pair import humaneval

ROW = {
    "entry_point": "double",
    "prompt": "def double(x):\n",
    "suffix": "    return y\n",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n",
}


@pytest.mark.parametrize(
    ("completion", "right"),
    [
        ("    y = 2 * x\n", True),
        ("    y = 3 * x\n", False),
        ("    y = (\n", False),
        ("    raise SystemExit(0)\n", False),
        ("    open('made', 'wb', 0).write(b'x')\n    y = 2 * x\n", False),
        ("    y = len('x' * (1 << 32)) and 2 * x\n", False),
    ],
)
def test_a_completion_is_judged_by_the_tests(completion: str, right: bool) -> None:  # noqa: FBT001
    """Wrong, broken, quitting, writing and hoarding programs fail."""
    assert right == humaneval.passes(humaneval.program({**ROW, "completion": completion}))


def test_a_program_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on CPU time holds."""
    monkeypatch.setattr(humaneval, "SECONDS", 1)
    assert not humaneval.passes("while True:\n    pass\n")


def test_rows_without_an_answer_count_as_failed() -> None:
    """The share is over all rows."""
    score = humaneval.pass_at_1([{**ROW, "completion": "    y = x + x\n"}, {**ROW, "error": "…"}])
    assert score.mean == pytest.approx(0.5)
