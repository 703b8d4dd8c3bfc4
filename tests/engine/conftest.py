"""Tiny models opened once; each test begins on empty timelines."""

from collections.abc import Iterator

import pytest
from tests.engine.timelines import Timelines
from tests.engine.tiny import TinyFiles

from jouline.engine.llama import Weights


@pytest.fixture(scope="session")
def timelines(tiny_files: TinyFiles) -> Iterator[Timelines]:
    """Open front, back and whole model with 32-bit caches."""
    opened = Timelines(tiny_files)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def weights(tiny_files: TinyFiles) -> Iterator[Weights]:
    """Open the whole model for its vocabulary."""
    opened = Weights(tiny_files.whole)
    yield opened
    opened.close()
