"""Which licences a package of the corpus may have: permissive ones that allow shipping what was learnt from it.

Words: an SPDX *expression* combines licence identifiers by AND, OR and WITH (SPDX specification, annex D). A wheel
states its licence in METADATA: `License-Expression` (PEP 639), else classifiers, else the older free `License` field;
an npm package in the field `license` of its package.json.
"""

import json
import re
import tarfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

ALLOWED = frozenset({
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU",
    "PSF-2.0", "Python-2.0", "Unlicense", "ZPL-2.1", "Zlib",
    "LicenseRef-BSD",  # a package that says "BSD" and leaves the number of clauses open
})  # fmt: skip
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "LicenseRef-BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
}
FREE_TEXT = {
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "bsd": "LicenseRef-BSD",
    "bsd license": "LicenseRef-BSD",
    "mit license": "MIT",
}


def permits(expression: str) -> bool:
    """Whether an SPDX expression leaves a choice in which every licence is on the list.

    `A OR B` needs one of the two, `A AND B` both; an exception after WITH only adds permissions. Brackets are not read:
    an expression that has them is refused, as is anything unknown.
    """
    return any(all(_allowed(part) for part in re.split(r"\s+AND\s+", choice)) for choice in _choices(expression))


def _choices(expression: str) -> list[str]:
    return re.split(r"\s+OR\s+", expression.strip())


def _allowed(part: str) -> bool:
    return re.sub(r"\s+WITH\s+[\w.-]+$", "", part.strip()) in ALLOWED


def of_metadata(metadata: Message) -> str | None:
    """Return the licence that a package states of itself as an SPDX expression, or None where it is unclear.

    Several classifiers are read as all holding at once, the strictest reading.
    """
    if expression := metadata["License-Expression"]:
        return str(expression).strip()
    if stated := _classified(metadata):
        return stated
    return _free_text(str(metadata["License"] or ""))


def _classified(metadata: Message) -> str | None:
    names = [str(line).split("::")[-1].strip() for line in metadata.get_all("Classifier", []) if "License ::" in line]
    names = [name for name in names if name != "OSI Approved"]
    return " AND ".join(CLASSIFIERS.get(name, name) for name in names) or None


def _free_text(text: str) -> str | None:
    text = text.strip()
    return text if text in ALLOWED else FREE_TEXT.get(text.lower())


def of_wheel(wheel: Path) -> str | None:
    """Return the licence stated in the METADATA of a wheel, or None where it is unclear."""
    with ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        return of_metadata(HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace")))


def of_tarball(tarball: Path) -> str | None:
    """Return the licence stated in the package.json of an npm tarball, or None where it is not an expression."""
    with tarfile.open(tarball) as archive:
        member = next(m for m in archive if re.fullmatch(r"[^/]+/package\.json", m.name))
        content = archive.extractfile(member)
        stated = json.loads(content.read()).get("license") if content else None
        return stated if isinstance(stated, str) else None
