"""Windows' side of the Energy Meter Interface: finding devices and asking them, through cfgmgr32 and kernel32."""

import ctypes
from collections.abc import Iterator
from typing import Any
from uuid import UUID

METER_CLASS = UUID("45BD8344-7ED6-49CF-A440-C276C933B053")  # GUID_DEVICE_ENERGY_METER, emi.h
_GENERIC_READ = 0x80000000
_SHARE_READ_AND_WRITE = 3
_OPEN_EXISTING = 3
_PRESENT_ONLY = 0
_SUCCESS = 0


class SystemDevice:
    """One open device."""

    def __init__(self, kernel32: Any, path: str) -> None:
        """Open it for reading; raises OSError where the system refuses."""
        self._kernel32 = kernel32
        handle = kernel32.CreateFileW(path, _GENERIC_READ, _SHARE_READ_AND_WRITE, None, _OPEN_EXISTING, 0, None)
        if handle in (None, ctypes.c_void_p(-1).value):
            raise OSError(f"{path} cannot be opened")
        self._handle: Any = ctypes.c_void_p(handle)

    def ask(self, code: int, size: int) -> bytes:
        """Send a control code; returns at most `size` bytes, raises OSError where the device refuses."""
        if self._handle is None:
            raise OSError("the meter is closed")
        answer, length = ctypes.create_string_buffer(size), ctypes.c_uint32(0)
        done = self._kernel32.DeviceIoControl(
            self._handle, ctypes.c_uint32(code), None, 0, answer, ctypes.c_uint32(size), ctypes.byref(length), None
        )
        if not done:
            raise OSError(f"the energy meter refuses the question {code:#x}")
        return answer.raw[: length.value]

    def close(self) -> None:
        """Close the device; a second time does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._kernel32.CloseHandle(handle)


def open_devices() -> Iterator[SystemDevice]:
    """Open every energy meter that is present; raises OSError where Windows' libraries or a device refuse."""
    load: Any = getattr(ctypes, "WinDLL", None)
    if load is None:
        raise OSError("this is not Windows")
    kernel32 = load("kernel32")
    kernel32.CreateFileW.restype = ctypes.c_void_p  # a handle is as wide as a pointer
    for path in _paths(load("cfgmgr32")):
        yield SystemDevice(kernel32, path)


def _paths(cfgmgr32: Any) -> list[str]:
    kind = (ctypes.c_ubyte * 16).from_buffer_copy(METER_CLASS.bytes_le)
    length = ctypes.c_uint32(0)
    if cfgmgr32.CM_Get_Device_Interface_List_SizeW(ctypes.byref(length), kind, None, _PRESENT_ONLY) != _SUCCESS:
        return []
    names = ctypes.create_unicode_buffer(max(1, length.value))
    if cfgmgr32.CM_Get_Device_Interface_ListW(kind, None, names, length, _PRESENT_ONLY) != _SUCCESS:
        return []
    return [name for name in "".join(names[: length.value]).split("\0") if name]
