"""A few hundred keystrokes of the soak that `scripts/bench --soak` runs for twenty thousand."""

import contextlib

import pytest
from tests.bench.soak import OPTIONS, Soak

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("kind", "layout"), [("exit", "suffix-prefix"), ("separate", "prefix-suffix-middle")])
def test_no_token_that_a_cold_run_would_not_give(tiny_files, kind, layout):
    """Whatever is typed, switched, given up or unloaded, answers are a cold run's; what is put aside stays bounded."""
    with contextlib.closing(Soak(tiny_files, kind=kind, layout=layout, seed=5)) as soak:
        report = soak.run(300, every=3)
        assert all(session.shelf.bytes <= OPTIONS.shelf_bytes for session in soak._pair._sessions.values())
    assert report.wrong == []
    assert report.counts["compared"] > 80
    assert report.counts["cancelled"] > 3
    assert report.counts["evaluated"] < report.counts["prompt tokens"] / 4
