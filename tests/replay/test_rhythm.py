"""The pace of typing."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from jouline.replay.rhythm import Rhythm


def test_inside_words_the_median_gap_is_the_speed() -> None:
    """Half of the gaps inside words are shorter than the speed says, half longer."""
    rhythm = Rhythm(seed=1, speed_cps=5.0)
    gaps = [rhythm.gap_ms(position, "ab", "c") for position in range(2000)]
    assert 190 < statistics.median(gaps) < 210
    assert statistics.mean(gaps) > statistics.median(gaps)


def test_words_and_lines_begin_more_slowly() -> None:
    """The gap before a word's first letter is longer than inside it, that at a line's beginning longest."""
    rhythm = Rhythm(seed=1)
    inside, word, line = (
        statistics.median(rhythm.gap_ms(position, before, "c") for position in range(300))
        for before in ("ab", "a ", ":\n")
    )
    assert inside < word < line


@given(seed=st.integers(), position=st.integers(0, 10_000), speed=st.floats(0.1, 1000), text=st.text(max_size=300))
def test_every_time_is_positive_and_repeatable(*, seed: int, position: int, speed: float, text: str) -> None:
    """Gaps and reading times are positive, and the same for the same seed and place."""
    one, other = Rhythm(seed=seed, speed_cps=speed), Rhythm(seed=seed, speed_cps=speed)
    assert one.gap_ms(position, text, "a") == other.gap_ms(position, text, "a") > 0
    assert one.correction_ms(position) == other.correction_ms(position) > 0
    assert 0 < one.reading_ms(text) <= 1500
    assert Rhythm(seed=seed, reading=3.0).reading_ms(text) == 3.0 * one.reading_ms(text)
