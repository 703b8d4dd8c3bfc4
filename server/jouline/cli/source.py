"""Source files as the commands take them: whole, UTF-8, of a sane size."""

from pathlib import Path

from jouline.errors import ConfigError

MAX_BYTES = 5_000_000


def read_source(path: Path) -> str:
    """Return a file's text; raises ConfigError with one sentence for what cannot be completed in."""
    try:
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; name a file.")
        size = path.stat().st_size
        if not path.is_file():
            raise ConfigError(f"{path} is not an ordinary file.")
        if size > MAX_BYTES:
            limit = MAX_BYTES / 1e6
            raise ConfigError(f"{path} has {size / 1e6:.0f} MB; files over {limit:.0f} MB are not completed in.")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}.") from None
    except PermissionError:
        raise ConfigError(f"{path} may not be read; check its permissions.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text; convert it first.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}).") from None
    if "\0" in text:
        raise ConfigError(f"{path} is a binary file.")
    return text
