"""Where a pair's layers go, and how long the large model's memory is kept."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline import opening
from jouline.catalogue.card import PairCard, load_catalogue
from jouline.opening import fitting_layers, unload_after_s

RESERVED = opening._RESERVED_BYTES


@given(free=st.integers(0, 2_000_000_000))
def test_what_goes_to_a_device_fits_it(tiny_files, free):
    """Layers never take more than what is free, all go where they fit, and a few alone stay at home."""
    layers, taken = fitting_layers(tiny_files.whole, 256, free)
    assert 0 <= taken <= max(0, free - RESERVED)
    assert layers in (0, 2, 3, 4, 5)
    assert (layers == 5) == (free - RESERVED >= fitting_layers(tiny_files.whole, 256, 10**12)[1])


def test_no_device_takes_nothing(tiny_files):
    """Without free memory everything runs on the processor."""
    assert fitting_layers(tiny_files.whole, 256, 0) == (0, 0)


def pair_of(gigabytes: float) -> PairCard:
    """Describe a separate pair whose large file is so big."""
    card = load_catalogue().pair("qwen")
    size = round(gigabytes * 1e9)
    return dataclasses.replace(
        card,
        small=dataclasses.replace(card.small, size_bytes=500_000_000),
        large=dataclasses.replace(card.large, size_bytes=size),
    )


def test_halves_of_one_small_network_stay():
    """The embedded pair's few megabytes are never given back."""
    assert unload_after_s(load_catalogue().pair("embedded"), 1.0) is None


@pytest.mark.parametrize("joules", [None, 0.0, 5.0, 1e9])
def test_memory_is_held_for_minutes_never_for_ever(joules):
    """Whatever loading was measured to cost, and dearer loading holds it no shorter."""
    held = unload_after_s(pair_of(4.0), joules)
    assert 120.0 <= held <= 3600.0
    assert held <= unload_after_s(pair_of(4.0), (joules or 0.0) + 1e4) or joules is None
