"""The frontend of a build comes from the environment's mirror, by digest in a rebuild."""

from manifest_engine.domain.build import frontend

HUB = b"# syntax=docker/dockerfile:1\nFROM a\n"
OTHER = b"# syntax=ghcr.io/team/frontend:2\nFROM a\n"
MIRROR = "team.example.com/hub"
MIRRORED = "team.example.com/hub/docker/dockerfile:1"
DIGEST = "sha256:" + "1" * 64


def test_a_frontend_of_docker_hub_comes_from_the_mirror() -> None:
    assert frontend.reference(HUB, MIRROR) == MIRRORED
    assert frontend.build_args(HUB, MIRROR, {}) == {"BUILDKIT_SYNTAX": MIRRORED}


def test_without_a_mirror_the_line_holds() -> None:
    assert frontend.reference(HUB, None) == "docker.io/docker/dockerfile:1"
    assert frontend.build_args(HUB, None, {}) == {}


def test_a_frontend_of_another_registry_stays() -> None:
    assert frontend.reference(OTHER, MIRROR) == "ghcr.io/team/frontend:2"
    assert frontend.build_args(OTHER, MIRROR, {}) == {}


def test_a_rebuild_takes_the_frontend_by_the_digest_that_it_was_planned_with() -> None:
    pins = {MIRRORED: DIGEST, "docker.io/library/a:1": DIGEST}
    assert frontend.build_args(HUB, MIRROR, pins) == {"BUILDKIT_SYNTAX": f"{MIRRORED}@{DIGEST}"}
    pinned = frontend.build_args(HUB, None, {"docker.io/docker/dockerfile:1": DIGEST})
    assert pinned == {"BUILDKIT_SYNTAX": f"docker.io/docker/dockerfile:1@{DIGEST}"}


def test_buildkit_s_own_frontend_needs_no_argument() -> None:
    assert frontend.reference(b"FROM a\n", MIRROR) is None
    assert frontend.build_args(b"FROM a\n", MIRROR, {}) == {}
