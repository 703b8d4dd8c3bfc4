"""Windows' energy meters through fake devices that answer byte for byte as emi.h says."""

import struct

import pytest

from jouline.energy.emi import (
    GET_MEASUREMENT,
    GET_METADATA,
    GET_METADATA_SIZE,
    GET_VERSION,
    channel_names,
    domain_of,
    open_emi,
)
from jouline.energy.emi_device import open_devices
from tests.energy.fakes import FakeClock

PICOWATT_HOURS_PER_JOULE = 1e12 / 3600


def wide(text, size=None):
    """Return text as Windows stores it, padded to `size` bytes."""
    raw = (text + "\0").encode("utf-16-le")
    return raw.ljust(size or len(raw), b"\0")


def metadata_v2(names):
    """Return an EMI_METADATA_V2."""
    channels = b"".join(struct.pack("<LH", 0, len(wide(name))) + wide(name) for name in names)
    return wide("Maker", 32) + wide("Model", 32) + struct.pack("<HH", 1, len(names)) + channels


class FakeDevice:
    """A device with named channels and joules; `None` for the joules is a refusal."""

    def __init__(self, channels, version=2):
        self.channels = channels
        self.version = version
        self.closed = False

    def ask(self, code, size):
        metadata = metadata_v2(list(self.channels))
        if code == GET_MEASUREMENT and (self.closed or None in self.channels.values()):
            raise OSError("refused")
        answers = {
            GET_VERSION: lambda: struct.pack("<H", self.version),
            GET_METADATA_SIZE: lambda: struct.pack("<L", len(metadata)),
            GET_METADATA: lambda: metadata,
            GET_MEASUREMENT: lambda: b"".join(
                struct.pack("<QQ", round(joules * PICOWATT_HOURS_PER_JOULE), 7) for joules in self.channels.values()
            ),
        }
        return answers[code]()[:size]

    def close(self):
        self.closed = True


def opened(*devices, clock=None):
    """Open fake devices as on Windows."""
    return open_emi(clock or FakeClock(), lambda: devices, "win32")


def test_reads_packages_and_memory_in_joules():
    """Cores lie inside the package and are left out; picowatt-hours become joules."""
    clock = FakeClock()
    channels = {"RAPL_Package0_PKG": 100.0, "RAPL_Package0_PP0": 60.0, "RAPL_Package0_DRAM": 20.0}
    device = FakeDevice(channels)
    meters, refused = opened(device, clock=clock)
    assert [(meter.name, meter.domain) for meter in meters] == [
        ("emi RAPL_Package0_PKG", "cpu"),
        ("emi RAPL_Package0_DRAM", "memory"),
    ]
    start = [meter.read().joules_total for meter in meters]
    device.channels |= {"RAPL_Package0_PKG": 130.0, "RAPL_Package0_DRAM": 25.0}
    clock.passes(1.0)
    steps = [meter.read().joules_total - first for meter, first in zip(meters, start, strict=True)]
    assert steps == [pytest.approx(30.0), pytest.approx(5.0)]
    assert refused == []


DOMAINS = {
    "RAPL_Package1_PKG": "cpu",
    "Current Socket Power": "cpu",
    "VDDCR_SOC Power": None,
    "RAPL_Package0_PP1": None,
    "RAPL_Package0_DRAM": "memory",
    "": None,
}


@pytest.mark.parametrize(("name", "domain"), DOMAINS.items())
def test_names_are_matched_by_whole_words(name, domain):
    """A socket is no SoC, and a rail is a part of the package."""
    assert domain_of(name) == domain


def test_a_version_one_device_has_one_channel():
    """The older layout names the metered hardware itself."""
    metadata = struct.pack("<L", 0) + bytes(64) + struct.pack("<HH", 1, len(wide("Socket"))) + wide("Socket")
    assert channel_names(1, metadata) == ["Socket"]


def test_mirrored_channels_count_once():
    """Dies that show the socket's one counter must not multiply it."""
    meters, _ = opened(FakeDevice({"Die0 PKG": 500.0, "Die1 PKG": 500.0, "Other PKG": 900.0}))
    assert [meter.name for meter in meters] == ["emi Die0 PKG", "emi Other PKG"]


def test_a_channel_that_refuses_later_is_unknown():
    """No zero, no exception."""
    device = FakeDevice({"Socket": 5.0})
    (meter,), _ = opened(device)
    device.channels["Socket"] = None
    assert meter.read().joules_total is None
    device.channels["Socket"] = 9.0
    meter.close()
    assert meter.read().joules_total is None


TROUBLE = {
    "no devices": ((), "no energy meter"),
    "only rails": ((FakeDevice({"VDDCR_SOC": 1.0}),), "no energy meter"),
    "unknown version": ((FakeDevice({"Socket": 1.0}, version=9),), "version 9"),
    "refusal": ((FakeDevice({"Socket": None}),), "refused"),
}


@pytest.mark.parametrize(("devices", "reason"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_is_one_reason(devices, reason):
    """A virtual machine, an unknown layout, a refusal: said, not raised."""
    meters, (refused,) = opened(*devices)
    assert meters == []
    assert reason in refused.reason


def test_other_systems_have_no_such_thing():
    """Nothing is loaded; asking anyway is an OSError."""
    assert open_emi(FakeClock(), None, "linux") == ([], [])
    with pytest.raises(OSError, match="not Windows"):
        list(open_devices())
