"""The blocks ``events``, ``notify`` and ``metrics`` of an environment."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.tell import KINDS

SINK = {"url": "https://portal.example.com/hooks", "connection": "portal_events"}
CHAT = {"notifier": "airflow.providers.apprise.notifications.apprise.AppriseNotifier"}


@pytest.fixture
def load(tmp_path):
    def with_blocks(**blocks: Any) -> Any:
        content = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())
        content["environments"]["dev"] |= blocks
        path = tmp_path / "environments.yaml"
        path.write_text(yaml.safe_dump(content))
        return environments.load(path)["dev"]

    return with_blocks


def test_by_default_no_receiver_is_configured(load):
    assert not load().tells


@pytest.mark.parametrize("blocks", [{"events": [SINK]}, {"notify": [CHAT]}, {"metrics": True}])
def test_each_block_alone_is_enough(load, blocks):
    assert load(**blocks).tells


def test_the_defaults(load):
    environment = load(events=[SINK], notify=[CHAT])
    assert environment.events[0].types == KINDS
    assert environment.notify[0].when == ("failed", "waiting", "live")


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ({"events": [SINK | {"url": "http://portal.example.com/"}]}, "is not encrypted"),
        ({"events": [SINK | {"url": "https://u:p@portal.example.com/"}]}, "events.0.url"),
        ({"events": [SINK | {"url": "file:///etc/passwd"}]}, "events.0.url"),
        ({"events": [SINK | {"types": ["service.exploded"]}]}, "events.0.types.0"),
        ({"events": [{"url": SINK["url"]}]}, "connection: Field required"),
        ({"notify": [{"notifier": "os"}]}, "notify.0.notifier"),
        ({"notify": [CHAT | {"when": []}]}, "notify.0.when"),
    ],
)
def test_invalid_receivers_are_refused(load, blocks, said):
    with pytest.raises(ConfigurationError, match=said):
        load(**blocks)


def test_http_needs_allow_http(load):
    plain = SINK | {"url": "http://portal.tools.svc:8080/hooks", "allowHttp": True}
    assert load(events=[plain]).events[0].allow_http


def test_the_commented_blocks_of_the_shipped_file_are_valid(load):
    text = (environments.INCLUDE / "environments.yaml").read_text()
    block = text[text.index("    # events:\n") : text.index("\n# The nightly run")]
    keys = (" ", "events:", "notify:", "metrics:", "webhook:")  # and not the sentences
    lines = [text for line in block.splitlines() if (text := line[6:]).startswith(keys)]
    environment = load(**yaml.safe_load("\n".join(lines)))
    assert environment.events[0].connection == "portal_events"
    assert environment.notify[0].text_argument == "body"
    assert environment.metrics
    assert environment.webhook.takes("datafactory/pricing/quotes/1.0/quotes-1.0.zip")
