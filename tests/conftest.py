"""What all tests share: the engine they run on, how Hypothesis draws, the tiny models."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.engine import tiny

# Two threads that wait for each other in every small fit take ten times as long on cores that others use too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# `quick` draws the same examples every time, so that a red test is red for everyone; `thorough` looks for new ones.
settings.register_profile(
    "quick", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a machine without the embedded models run the rest."""
    parser.addoption(
        "--engine",
        choices=("fake", "gguf"),
        default="gguf",
        help="gguf: also the tests that open the embedded models; fake: only tiny models made up on the spot",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked `model` where the embedded models are not wanted."""
    if config.getoption("--engine") == "gguf":
        return
    wanted = [item for item in items if item.get_closest_marker("model") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> tiny.TinyFiles:
    """Write a tiny network, whole and in two halves."""
    return tiny.write_files(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True, scope="session")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the tests a home of their own: nothing is read from or written to the user's."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOULINE_HOME", str(home))
        yield home
