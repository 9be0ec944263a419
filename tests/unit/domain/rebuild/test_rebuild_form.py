"""The run conf and the schedule of ``rebuild_services``."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from manifest_engine.domain.core.errors import ConfigurationError, ManifestError
from manifest_engine.domain.environment import environment, environments
from manifest_engine.domain.form import form
from manifest_engine.domain.rebuild import form as rebuild_form
from manifest_engine.domain.rebuild.deployed import Selection
from pendulum import instance

CONFIGURED = environments.load(environments.INCLUDE / "environments.yaml")


def test_a_scheduled_run_covers_every_service():
    assert rebuild_form.parse({}, CONFIGURED) == Selection()


def test_empty_fields_count_as_missing():
    conf = {"environment": "dev", "component": "", "serviceName": None, "force": True}
    assert rebuild_form.parse(conf, CONFIGURED) == Selection("dev", force=True)


@pytest.mark.parametrize(
    ("conf", "message"),
    [({"environment": "moon"}, "configured: dev"), ({"forse": True}, "force")],
)
def test_a_mistake_is_named_with_the_valid_values(conf, message):
    with pytest.raises(ManifestError, match=message):
        rebuild_form.parse(conf, CONFIGURED)


def test_every_field_of_the_form_has_a_default():
    fields = form.request_fields(rebuild_form.Request, CONFIGURED)
    assert [field.name for field in fields] == ["environment", "component", "serviceName", "force"]
    assert not any(field.required for field in fields)
    assert fields[0].schema["enum"] == [None, *sorted(CONFIGURED)]
    assert fields[0].schema["values_display"]["null"] == "all environments"


def nights(zone: str, first: datetime, last: datetime) -> list[str]:
    """When Airflow starts the run, in UTC."""
    cron = environment.Rebuilds().cron
    timetable = CronTriggerTimetable(cron, timezone=zone)
    found: list[str] = []
    before: DataInterval | None = None
    while True:
        info = timetable.next_dagrun_info(
            last_automated_data_interval=before,
            restriction=TimeRestriction(instance(first), instance(last), catchup=True),
        )
        if info is None:
            return found
        before = info.data_interval
        found.append(f"{info.run_after.astimezone(UTC):%d %H:%M}")


def test_a_clock_change_neither_skips_nor_repeats_a_night():
    berlin = ZoneInfo("Europe/Berlin")
    spring = nights(
        "Europe/Berlin", datetime(2026, 3, 28, tzinfo=berlin), datetime(2026, 3, 31, tzinfo=berlin)
    )
    assert spring == ["28 01:30", "29 01:30", "30 00:30"]
    autumn = nights(
        "Europe/Berlin",
        datetime(2026, 10, 24, tzinfo=berlin),
        datetime(2026, 10, 27, tzinfo=berlin),
    )
    assert autumn == ["24 00:30", "25 01:30", "26 01:30"]


def test_an_unknown_time_zone_is_refused_with_its_key(tmp_path):
    text = environments.default_path().read_text().replace("timezone: UTC", "timezone: Berlin")
    path = tmp_path / "environments.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"rebuilds\.timezone: .*Europe/Berlin"):
        environments.load(path)
