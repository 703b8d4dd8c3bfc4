"""The bench of exits on the embedded pair and a block of made-up code."""

import pytest
from tests.engine.test_embedded import CODE

from jouline.cancel import CancelToken
from jouline.engine.exit import ExitPoint
from jouline.engine.generate import Limits, generate
from jouline.lab.exits.bench import MAX_TOKENS, open_bench, place_request
from jouline.lab.exits.measure import measure, own_cost, rows, ways
from jouline.lab.exits.speed import speed
from jouline.lab.exits.traces import collect
from jouline.lab.places import sources
from jouline.lab.retype import Block, blocks

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> list[Block]:
    """Draw one block of a package of one file."""
    folder = tmp_path_factory.mktemp("code") / "package"
    folder.mkdir()
    (folder / "settings.py").write_text(CODE * 3)
    return blocks(sources([folder]), per_group=1, seed=3)


@pytest.fixture(scope="module")
def bench():
    """Open the pair once."""
    with open_bench() as opened:
        yield opened


def test_traces_follow_the_large_model(bench, drawn):
    """Lengths, quality and agreement are those of plain decoding; where the halves differ, the front's way is told."""
    traced = collect(bench, drawn, tell=lambda _: None)
    block = drawn[0]
    assert len(traced.length) == len(block.places)
    assert set(traced.group) == {"package"}
    bench.begin(block)
    for place, (offset, end) in enumerate(block.places):
        made = bench.plain(place_request(block, offset))
        assert traced.length[place] == made.generated_tokens
        assert traced.quality[place] == (made.text.rstrip() == block.text[offset:end].rstrip())
    beyond = traced.agree[traced.length[:, None] <= range(traced.agree.shape[1])]
    assert beyond.all()
    assert 0.2 < traced.agree.mean() < 1.0


def test_every_way_is_measured_alike(bench, drawn):
    """Costs are positive, the lossless ways say the same, always-front is a rule that always exits."""
    always = ExitPoint(energy_saving=100, bias=1.0, weights={})
    asked = ways(bench, [], [always])
    found = {
        row["way"]: row for row in rows(asked, measure(bench, drawn, asked, seed=0, tell=lambda _: None), drawn, seed=0)
    }
    assert set(found) == {"always-back", "drafts", "always-front", "agent 100"}
    assert all(row["cpu_ms"] > 0 for row in found.values())
    assert found["always-back"]["lost"] == 0
    assert found["drafts"]["same_text"] >= 0.9
    assert found["agent 100"]["exited"] == 1.0
    assert found["agent 100"]["right"] == pytest.approx(found["always-front"]["right"], abs=0.1)


def test_drafts_are_timed_from_the_same_state(bench, drawn):
    """Plain and drafted answers have the same tokens but for rounding, and the ratio is one of times."""
    found = speed(bench, drawn, seed=0, tell=lambda _: None)
    assert found["same_tokens"] >= 0.9
    assert found["speed_up"] > 0
    assert found["places"] == len(drawn[0].places)


def test_the_agents_own_cost_is_a_share_of_a_token(bench, drawn):
    """It is measured, and it is small."""
    own = own_cost(bench, drawn, ExitPoint(energy_saving=50, bias=0.0, weights={"lead": (0.5,) * 14}))
    assert 0 < own["rule_s"] < own["plain_token_s"]
    assert own["share"] == pytest.approx((own["rule_s"] + own["lead_s"]) / own["plain_token_s"])


def test_a_trace_leaves_the_session_as_it_was(bench, drawn):
    """After tracing, the front answers as ever."""
    collect(bench, drawn, tell=lambda _: None)
    request = place_request(drawn[0], drawn[0].places[0][0])
    prompt, limits = bench.prompt(request), Limits(max_tokens=MAX_TOKENS)
    one = generate(bench.front, bench.vocabulary, prompt, limits, CancelToken())
    assert one.text == bench.plain(request, half="small").text
