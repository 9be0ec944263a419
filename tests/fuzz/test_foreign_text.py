"""Fuzzers: whatever comes from outside, only errors of ours come of it, printable and bounded."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from manifest_engine.domain.artifact import archive
from manifest_engine.domain.artifact.dockerignore import IgnoreRules
from manifest_engine.domain.build import recipe
from manifest_engine.domain.core import error_text, printable
from manifest_engine.domain.core.errors import ManifestEngineError
from manifest_engine.domain.environment.environment import Limits
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.record import redaction
from manifest_engine.domain.release import rollback
from manifest_engine.domain.workload import diagnosis, image_pull, refusals

from tests.unit.domain.workload.pods import container, ended, event, pod

FEW = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""The same examples in each run, so that a failure in CI comes from the change."""
ODD = st.sampled_from("\0\x1b[];m\x07\x9b\ud83d\u202e\r\n\t /@:=;&#{}$%\\\"'é…")
TEXT = st.text(st.one_of(ODD, st.characters(codec=None)), max_size=60)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [field.alias or name for name, field in manifest.Manifest.model_fields.items()]
)
CONF = st.dictionaries(st.one_of(FIELDS, TEXT), JSON, max_size=8)


def require_clean(said: str, most: int = printable.SENTENCE_MAX) -> None:
    assert printable.unprintable(said) is None
    assert len(said) <= most
    said.encode()


@FEW
@given(TEXT, st.integers(min_value=10, max_value=80))
def test_printable_text(text, limit):
    for made in (
        printable.printable(text * 50, limit),
        printable.line(text * 50, limit),
        printable.excerpt(text * 50, limit),
        printable.line((text * 50).encode(errors="surrogatepass"), limit),
    ):
        require_clean(made, limit)
    assert "\n" not in printable.line(text)
    assert "\n" not in printable.excerpt(text)


@FEW
@given(JSON)
def test_an_xcom(value):
    def texts(item: Any) -> list[str]:
        if isinstance(item, dict):
            return [text for pair in item.items() for one in pair for text in texts(one)]
        if isinstance(item, list):
            return [text for one in item for text in texts(one)]
        return [item] if isinstance(item, str) else []

    for text in texts(printable.storable(value)):
        require_clean(text, printable.XCOM_TEXT_MAX)


@FEW
@given(CONF)
@pytest.mark.parametrize("parse", [manifest.parse, rollback.parse])
def test_a_conf_is_accepted_or_refused_with_a_sentence(parse, conf):
    try:
        parse(conf)
    except ManifestEngineError as error:
        require_clean(str(error))


@FEW
@given(CONF)
def test_a_conf_with_valid_required_fields(conf):
    asked = {"component": "pricing", "serviceName": "quotes", "version": "1", "environment": "dev"}
    try:
        made = manifest.parse({**conf, **asked})
    except ManifestEngineError as error:
        require_clean(str(error))
    else:
        for text in (made.notes or "", *made.env.values()):
            assert printable.unprintable(text) is None


NAMES = st.one_of(TEXT, st.sampled_from(["scripts/Dockerfile", ".dockerignore", "a/b", "../x"]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@FEW
@given(
    st.lists(st.tuples(NAMES.filter(bool), st.binary(max_size=40)), max_size=5),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6),
    st.integers(0, 60),
)
def test_a_zip_is_read_or_refused_with_a_sentence(members, changes, cut):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members:
            info = zipfile.ZipInfo("x")
            info.filename = name.encode(errors="replace").decode()
            target.writestr(info, content)
    raw = bytearray(packed.getvalue())
    for place, byte in changes:
        raw[place % len(raw)] = byte
    raw = raw[: len(raw) - cut] if cut < len(raw) else raw
    try:
        opened = archive.open_archive(io.BytesIO(raw), Limits())
        opened.dockerfile(b"FROM x")
        size = sum(map(len, opened.tar_stream()))
        assert size <= 10_000 * (len(members) + 5)
    except ManifestEngineError as error:
        require_clean(str(error))


@FEW
@given(
    st.one_of(st.binary(max_size=80), TEXT.map(lambda text: text.encode(errors="replace"))), TEXT
)
def test_a_dockerignore_is_read_or_refused_with_a_sentence(content, path):
    try:
        assert IgnoreRules(content, ".dockerignore")(path or "a") in (True, False)
    except ManifestEngineError as error:
        require_clean(str(error))


INSTRUCTION = st.sampled_from(
    ["FROM ", "ARG A=", "ARG A", "RUN <<E\n", "E\n", "$A", "${A:-x}", " AS b", "--platform=x ", "b"]
)


@FEW
@given(st.lists(st.one_of(INSTRUCTION, TEXT, st.just("\n")), max_size=30))
def test_a_dockerfile_names_a_base_or_none(parts):
    found = recipe.base_image("".join(parts).encode(errors="replace"), {"A": "1"})
    assert found is None or 0 < len(found) <= 1024


SECRET = "hunter2hunter2"
"""Stands where a secret may be; what is around it can be anything but the end of its word."""
SHAPES = (
    "postgres://me:{}@host/db",
    "https://host/x?sig={}&y=1",
    "AccountKey={};EndpointSuffix=x",
    "password={}",
    "SECRET_TOKEN={} x",
)


@FEW
@given(st.sampled_from(SHAPES), TEXT, TEXT)
def test_redaction_lets_nothing_through_and_does_not_lengthen(shape, before, after):
    value = f"{before} {shape.format(SECRET)} {after}"
    for conf in (
        {"notes": value},
        {"env": {"URL": value}},
        {"smokeTest": {"expectBody": [value]}},
        {value: value},
        {"secretEnv": {"A": value}},
    ):
        made = redaction.redacted(conf)
        assert SECRET not in str(made)
        assert len(str(made)) <= 3 * len(str(conf))


@FEW
@given(JSON)
def test_redaction_accepts_any_conf(value):
    for key in ("env", "secretEnv", "notes", "rebuild", "route"):
        redaction.redacted({key: value})


@FEW
@given(TEXT, TEXT, st.integers(-1, 255), st.integers(0, 4))
def test_a_diagnosis_is_a_sentence(message, reason, code, restarts):
    waiting = {"reason": reason or "ImagePullBackOff", "message": message * 20}
    found = [
        diagnosis.of_pod(
            pod(container(waiting=waiting, restarts=restarts)), [event("Failed", message)]
        ),
        diagnosis.of_container(
            container(last=ended(code, message=message * 20), restarts=restarts)
        ),
        image_pull.failed("i", "ErrImagePull", message * 20),
    ]
    for finding in filter(None, found):
        require_clean(finding.sentence, 4000)
    error_text.without_names(message)


@FEW
@given(st.integers(100, 599), st.one_of(TEXT, JSON.map(str)), TEXT)
def test_a_refusal_of_the_cluster_is_a_sentence(status, body, message):
    attempt = refusals.Attempt("patch", "deployments.apps", "ns", "name")
    refusals.explain(status, body, attempt)
    refusal = refusals.explain(status, f'{{"message": "{re.escape(message)}"}}', attempt)
    require_clean(str(ManifestEngineError(refusal.sentence)))
