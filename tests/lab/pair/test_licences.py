"""Only permissive licences enter the corpus."""

from email.message import Message
from pathlib import Path

import pytest

from jouline.errors import JoulineError
from jouline.lab.pair import corpus, licences, tarballs

PERMITTED = ["MIT",
             "Apache-2.0 AND MIT", "MIT OR GPL-3.0-only", "Apache-2.0 WITH LLVM-exception AND BSD-2-Clause",
             "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", "ZPL-2.1"]  # fmt: skip
REFUSED = ["GPL-2.0-only", "MIT AND GPL-3.0-or-later", "LGPL-2.1", "AGPL-3.0-only OR MPL-2.0",
           "EPL-2.0", "CC-BY-NC-4.0",
           "", "LicenseRef-Repoze-BSD-derived", "(MIT)", "mit",
           "GPL-2.0-only WITH Classpath-exception-2.0"]  # fmt: skip


@pytest.mark.parametrize("expression", PERMITTED)
def test_permissive_expressions_are_permitted(expression: str) -> None:
    """An expression passes when some choice in it is permissive throughout."""
    assert licences.permits(expression)


@pytest.mark.parametrize("expression", REFUSED)
def test_copyleft_and_unclear_expressions_are_refused(expression: str) -> None:
    """One copyleft part that cannot be avoided, or anything unknown, refuses the whole."""
    assert not licences.permits(expression)


def metadata(*fields: tuple[str, str]) -> Message:
    """Return metadata with the given fields."""
    message = Message()
    for name, value in fields:
        message[name] = value
    return message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("License-Expression", "MIT"), ("Classifier", "License :: OSI Approved :: BSD License")], "MIT"),
        ([("Classifier", "License :: OSI Approved"), ("License", "Apache 2.0")], "Apache-2.0"),
        ([("License", "BSD"), ("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
        ([("License", "Copyright (c) somebody")], None),
        ([("Classifier", "Programming Language :: Python")], None),
    ],
)
def test_the_licence_is_read_from_the_field_that_says_it_best(fields: list[tuple[str, str]], expected: str) -> None:
    """An SPDX expression goes before classifiers, those before free text; what none of them says is unclear."""
    assert expected == licences.of_metadata(metadata(*fields))


def test_two_classifiers_must_both_be_permissive() -> None:
    """A package that states a permissive and a copyleft classifier is refused."""
    stated = licences.of_metadata(
        metadata(
            ("Classifier", "License :: OSI Approved :: MIT License"),
            ("Classifier", "License :: OSI Approved :: GNU General Public License v2 (GPLv2)"),
        )
    )
    assert stated is not None
    assert not licences.permits(stated)


WHEELS = {f"{name}=={version}" for name, version in corpus.pinned().items()}
TARBALLS = {pin.specifier for pin in tarballs.pinned()}


@pytest.mark.parametrize(("record", "pinned"), [(corpus.RECORD, WHEELS), (corpus.NPM_RECORD, TARBALLS)])
def test_every_package_of_the_corpus_is_recorded_with_a_permitted_licence(record: Path, pinned: set[str]) -> None:
    """The record names exactly the pinned packages, and every licence in it may be used."""
    recorded = corpus.recorded(record)
    assert pinned == set(recorded)
    assert [package for package, stated in recorded.items() if not licences.permits(stated)] == []


@pytest.mark.parametrize("stated", [None, "GPL-3.0-only", "BSD-3-Clause"])
def test_a_package_that_states_anything_but_what_was_recorded_stops_the_build(stated: str | None) -> None:
    """Unclear, copyleft and merely changed licences all stop the build with the package's name."""
    with pytest.raises(JoulineError, match=r"^thing==1.0 is under"):
        corpus.check_licence("thing==1.0", stated, {"thing==1.0": "MIT"})
