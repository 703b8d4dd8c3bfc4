"""Typing blocks again: every policy meets the same places, and the line is the two fixed policies'."""

import pytest

from jouline.lab.places import sources
from jouline.lab.report import sequence_text
from jouline.lab.retype import BLOCK_LINES, blocks, policies, retype
from jouline.router.cascade import ConfidenceRouter
from tests.router.test_draft import generation

LINES = [f"value_{number} = compute(first_{number}, second_{number})" for number in range(40)]


class Busy:
    """Knows every line; the large model works more than the small one."""

    def __init__(self):
        self.asked = []

    def generate(self, request, tier, cancel, limits):
        self.asked.append((request.offset, tier))
        sum(range(20_000 if tier == "small" else 200_000))
        line = LINES[request.text.count("\n", 0, request.offset)]
        rest = line[len(request.line_prefix) :]
        return generation(rest if tier == "large" else "no", (-0.1,) if tier == "large" else (-1.0,))


@pytest.fixture
def drawn(tmp_path):
    """Return two blocks of one long file."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "long.py").write_text("\n".join(LINES) + "\n")
    (tmp_path / "package" / "short.py").write_text("a = bcdefgh\n")
    return blocks(sources([tmp_path / "package"]), per_group=2, seed=1)


def test_a_block_is_gone_until_it_is_typed(drawn):
    """Blocks hold whole lines of long files, and places in order within them."""
    assert len(drawn) == 2
    for block in drawn:
        assert block.source.path.name == "long.py"
        assert block.text[block.start : block.end].count("\n") == BLOCK_LINES - 1
        assert list(block.places) == sorted(block.places)
        assert all(block.start < offset < end <= block.end for offset, end in block.places)


def test_the_fixed_policies_are_the_ends_of_the_line(drawn):
    """Always large is right everywhere at cost position 1, always small nowhere at 0; both stand on the line."""
    rows = retype(Busy(), drawn, policies(ConfidenceRouter(), (50,)))
    found = {row["policy"]: row for row in rows}

    assert [row["policy"] for row in rows] == ["always-large", "always-small", "random", "router"]
    assert (found["always-large"]["quality"], found["always-large"]["cost_position"]) == (1.0, 1.0)
    assert (found["always-small"]["quality"], found["always-small"]["cost_position"]) == (0.0, 0.0)
    assert found["always-large"]["above_line"] == found["always-small"]["above_line"] == 0.0
    assert 0.0 < found["random"]["quality"] < 1.0
    assert found["router"]["share_large"] == 1.0  # every small draft is in the middle band
    assert "| router | 50 | 100.0" in sequence_text(rows)


def test_every_policy_types_the_same_places(drawn):
    """Each of the two fixed policies asks a model at every place of every block, in order."""
    busy = Busy()
    retype(busy, drawn, policies(ConfidenceRouter(), ()))
    once = [[block.start, *(place for place, _ in block.places)] for block in drawn]
    wanted = [offset for offsets in once for _ in range(2) for offset in offsets]

    assert [offset for offset, _ in busy.asked] == wanted
