"""Setting a key changes that key's line and no other."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.catalogue.setting_lines import set_text
from jouline.config import load

COMMENTED = """\
# mine
enable = true  # yes

[model]
# small one
small = "old"

[languages]
markdown = false
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'model.small = "new"\n'),
        ('model.small = "old"\n', 'model.small = "new"\n'),
        ('"model.small" = "old"\n', '"model.small" = "new"\n'),
        ('[model]\nlarge = "l"\n', '[model]\nsmall = "new"\nlarge = "l"\n'),
        ('[model]\nsmall = ""  # none\n', '[model]\nsmall = "new"\n'),
        ('[jouline.model]\nsmall = "old"\n', '[jouline.model]\nsmall = "new"\n'),
        ('[jouline]\nmodel.small = "old"\n', '[jouline]\nmodel.small = "new"\n'),
        ("enable = true\n\n[languages]\na = true\n", 'enable = true\nmodel.small = "new"\n\n[languages]\na = true\n'),
        ("# of the table\n[languages]\n", 'model.small = "new"\n# of the table\n[languages]\n'),
        (COMMENTED, COMMENTED.replace("old", "new")),
    ],
)
def test_sets(before: str, after: str) -> None:
    """The key is set where it stands, else where it reads best; comments and order stay."""
    assert set_text(before, "model.small", "new") == after


@pytest.mark.parametrize("before", ['model = { small = "old" }\n', "not toml", 'model = "x"\n'])
def test_gives_up(before: str) -> None:
    """A form that is not understood is left alone, never damaged."""
    assert set_text(before, "model.small", "new") is None


@given(
    st.lists(
        st.sampled_from(["enable = true", "# note", "", "[languages]", "x = 1", "[other]", "[model]"]), max_size=8
    ),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
)
def test_is_read_back(lines: list[str], value: str) -> None:
    """What was set is what the settings are then, whatever else the file holds."""
    text = "\n".join(lines)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    changed = set_text(text, "model.small", value)

    assert changed is not None
    assert load(None, tomllib.loads(changed))[0].model_small == value
