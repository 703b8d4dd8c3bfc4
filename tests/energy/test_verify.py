"""The second opinion: pyRAPL on the same counters. Its paths are fixed, so a fake tree needs a mount namespace."""

import json
import logging
import subprocess
import sys

import pytest

from jouline.energy.meter import open_meters
from jouline.energy.verify import _compare, verify
from tests.energy.fakes import FakeClock, tree

# In its own mount namespace the process sees the fake tree at /sys; a thread lets the counters run.
INSIDE = """
import json, sys, time
from pathlib import Path
from jouline.energy.meter import open_meters
from jouline.energy.verify import verify

file = Path("/sys/class/powercap/intel-rapl/intel-rapl:0/energy_uj")
def wait(_):
    time.sleep(0.02)
    file.write_text(str(int(file.read_text()) + int(sys.argv[1])))
with open_meters() as meters:
    found = verify(meters, 0.02, wait)
print(json.dumps([found.ours_joules, found.pyrapl_joules, found.agree, found.reason]))
"""

ZONE = "class/powercap/intel-rapl/intel-rapl:0/"


def fake_sysfs(root, energy_uj):
    """Write what pyRAPL and we look at: one package in both of its places, one processor."""
    tree(
        root,
        {
            ZONE + "name": "package-0",
            ZONE + "energy_uj": str(energy_uj),
            ZONE + "max_energy_range_uj": "262143328850",
            "devices/system/cpu/present": "0-1",
            "devices/system/cpu/cpu0/topology/physical_package_id": "0",
            "devices/system/cpu/cpu1/topology/physical_package_id": "0",
        },
    )
    (root / "class/powercap/intel-rapl:0").symlink_to(root / ZONE)
    return root


def in_namespace(root, step_uj):
    """Run both readers over a step of the counter with `root` in the place of `/sys`."""
    link = root / "class/powercap/intel-rapl:0"
    link.unlink()
    link.symlink_to("intel-rapl/intel-rapl:0")
    command = 'mount --bind "$1" /sys && shift && exec "$@"'
    inside = ["sh", str(root), sys.executable, "-c", INSIDE, str(step_uj)]
    return subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", command, *inside],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def namespaces():
    """Skip where the system allows no namespaces: then pyRAPL cannot be shown a tree at all."""
    probe = ["unshare", "--mount", "--map-root-user", "mount", "--bind", "/tmp", "/sys"]
    try:
        allowed = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("this system allows no mount namespace")


@pytest.mark.usefixtures("namespaces")
def test_both_readers_agree_on_a_package(tmp_path):
    """The same step of the same counter is the same number of joules."""
    done = in_namespace(fake_sysfs(tmp_path, 5_000_000), 7_000_000)
    ours, theirs, agree, _ = json.loads(done.stdout)
    assert (ours, theirs) == (pytest.approx(7.0), pytest.approx(7.0))
    assert agree is True
    assert "imports error" not in done.stderr


@pytest.mark.usefixtures("namespaces")
def test_a_wrap_shows_why_ours_is_the_primary_reader(tmp_path):
    """The counter wraps inside the window: we join it, pyRAPL has no number, and the verdict says so."""
    done = in_namespace(fake_sysfs(tmp_path, 262_143_000_000), -262_140_000_000)
    ours, theirs, agree, reason = json.loads(done.stdout)
    assert ours == pytest.approx(3.328851)
    assert theirs is None
    assert agree is None
    assert reason == "pyRAPL gave no usable number over this window"


def test_without_counters_it_says_why(tmp_path):
    """No exception, no number, and the root logger is as it was."""
    handlers = list(logging.getLogger().handlers)
    with open_meters(tmp_path, {}, FakeClock(), sampling=False) as meters:
        found = verify(meters, 0.0, lambda _: None)
    assert (found.ours_joules, found.pyrapl_joules, found.agree) == (None, None, None)
    assert found.reason
    assert logging.getLogger().handlers == handlers


VERDICTS = [
    (100.0, 100.5, True, "both agree"),
    (100.0, 102.0, False, "the readers disagree"),
    (None, 5.0, None, "our own reader has no package counter over this window"),
    (0.0, 0.0, None, "the counters did not move"),
]


@pytest.mark.parametrize(("ours", "theirs", "agree", "reason"), VERDICTS)
def test_the_verdict(ours, theirs, agree, reason):
    """Within one percent they agree; where there is nothing to compare, nothing is claimed."""
    found = _compare(1.0, ours, theirs)
    assert (found.agree, found.reason) == (agree, reason)
