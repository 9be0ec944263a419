"""The modification time that a ZIP records for a member, as seconds since the epoch.

Most tools record local time without a zone (APPNOTE.TXT 4.4.6). It counts as UTC, so the time does
not depend on the machine that builds. Info-ZIP's tools also record UTC (field 0x5455), which counts
first, as for ``unzip``.
"""

from __future__ import annotations

import calendar
import struct
import zipfile
from datetime import datetime

EARLIEST = 315_532_800
"""1980-01-01T00:00:00Z: the earliest time that a ZIP, such as a wheel, can store."""
LATEST = 4_102_444_800
"""2100-01-01T00:00:00Z. The present would be a better limit, but it is not the same for each build.
"""
_TIMESTAMP = 0x5455
"""Info-ZIP's extended timestamp (proginfo/extrafld.txt)."""
_HAS_MODIFIED = 0x1


def modified(info: zipfile.ZipInfo) -> int:
    """The time of a member, between :data:`EARLIEST` and :data:`LATEST`."""
    exact = _extended(info.extra)
    return min(max(_plain(info) if exact is None else exact, EARLIEST), LATEST)


def _plain(info: zipfile.ZipInfo) -> int:
    year, month, day, hour, minute, second = info.date_time
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError:
        return EARLIEST  # a tool that records no time writes day 0 of month 0
    return calendar.timegm(moment.timetuple())


def _extended(extra: bytes) -> int | None:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _TIMESTAMP and len(field) >= 5 and field[0] & _HAS_MODIFIED:
            return int(struct.unpack_from("<l", field, 1)[0])
    return None
