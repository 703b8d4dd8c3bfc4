"""A sentence encoder on this machine, where one is installed; without it texts are hashed (`jouline.lab.described`)."""

from jouline.lab.queries import Embeds


def sentences() -> Embeds | None:
    """Return the encoder, or None where there is none."""
    return None
