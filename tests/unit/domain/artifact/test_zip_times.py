"""The time of a member: UTC where the ZIP records UTC, else its local time as UTC."""

from __future__ import annotations

import struct
import time
import zipfile
from datetime import UTC, datetime

import pytest
from manifest_engine.domain.artifact import zip_times


def info(date=(2024, 2, 29, 12, 30, 58), extra=b""):
    made = zipfile.ZipInfo("app.py")
    made.date_time, made.extra = date, extra
    return made


def stamp(*fields, kind=0x5455):
    content = struct.pack("<B", fields[0]) + b"".join(
        struct.pack("<l", item) for item in fields[1:]
    )
    return struct.pack("<HH", kind, len(content)) + content


def at(*moment):
    return int(datetime(*moment, tzinfo=UTC).timestamp())


def test_a_plain_time_counts_as_utc_in_every_zone(monkeypatch):
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert zip_times.modified(info()) == at(2024, 2, 29, 12, 30, 58)
    monkeypatch.undo()
    time.tzset()


def test_a_time_in_utc_counts_first():
    moment = at(2024, 2, 29, 3, 0, 1)
    other = struct.pack("<HHL", 0x7075, 4, 0)
    assert zip_times.modified(info(extra=other + stamp(1, moment))) == moment


@pytest.mark.parametrize(
    "extra",
    [stamp(2, 99), stamp(1), stamp(1, 99, kind=0x5456), b"\x55\x54\x09", b"UT\xff\xff\x01abcd"[:6]],
    ids=["no modification time", "too short", "another field", "cut off", "length too large"],
)
def test_a_field_without_a_time_is_ignored(extra):
    assert zip_times.modified(info(extra=extra)) == at(2024, 2, 29, 12, 30, 58)


@pytest.mark.parametrize(
    ("date", "extra", "expected"),
    [
        ((1980, 0, 0, 0, 0, 0), b"", zip_times.EARLIEST),
        ((2023, 2, 29, 0, 0, 0), b"", zip_times.EARLIEST),
        ((2023, 2, 28, 0, 0, 62), b"", at(2023, 2, 28, 0, 0, 59)),
        ((2107, 12, 31, 23, 59, 58), b"", zip_times.LATEST),
        ((2024, 1, 1, 0, 0, 0), stamp(1, -1), zip_times.EARLIEST),
    ],
)
def test_times_are_kept_in_a_range_that_every_tool_can_store(date, extra, expected):
    assert zip_times.modified(info(date, extra)) == expected
