"""How a person reads energy."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.units import JOULES_PER_WATT_HOUR, format_energy

SHOWN = [
    (None, True, "—"),
    (None, False, "—"),
    (0.0, True, "0 J"),
    (12.42, True, "12.4 J"),
    (12.42, False, "~12 J"),
    (0.0123, True, "12.3 mJ"),
    (0.0123, False, "~12 mJ"),
    (-3.5, True, "-3.5 J"),
    (7200.0, True, "2 Wh"),
    (-7200.0, False, "~-2 Wh"),
    (3599.0, True, "3600 J"),
    (1234.0, True, "1230 J"),
    (1234.0, False, "~1200 J"),
    (0.09999, True, "100 mJ"),
    (5e6, True, "1390 Wh"),
    (1e-9, True, "0.000001 mJ"),
]


@pytest.mark.parametrize(("joules", "exact", "text"), SHOWN)
def test_energy_as_shown(joules, exact, text):
    """Unknown is a dash, an estimate has a tilde and two digits, units fit the size; no exponents."""
    assert format_energy(joules, exact=exact) == text


@given(joules=st.floats(-1e8, 1e8), exact=st.booleans())
def test_what_is_shown_is_the_value_to_its_digits(joules, exact):
    """Read back, the text is the value within its last digit, and it is marked as an estimate or not."""
    text = format_energy(joules, exact=exact)
    number, unit = text.removeprefix("~").split(" ")
    scale = {"Wh": JOULES_PER_WATT_HOUR, "J": 1.0, "mJ": 1e-3}[unit]

    assert re.fullmatch(r"~?-?\d+(\.\d+)? (Wh|J|mJ)", text)
    assert text.startswith("~") is not exact
    assert float(number) * scale == pytest.approx(joules, rel=0.006 if exact else 0.06, abs=1e-9)
