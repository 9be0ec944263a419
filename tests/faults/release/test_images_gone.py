"""The image is deleted from the registry between two steps, during public requests."""

from __future__ import annotations

import pytest
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.registry.api import RegistryApi
from manifest_engine.hooks.registry.auth import PasswordIdentity

from sandbox.airflow.deploy import follow
from sandbox.kubernetes.containerd import ctr
from tests import registry_images
from tests.faults.moments import age, begin, reached


@pytest.fixture
def vanish(environment):
    """Deletes an image from the registry and the node."""
    login = Login(environment["REGISTRY_USER"], environment["REGISTRY_PASSWORD"])
    registry = RegistryApi(
        f"https://{environment['REGISTRY']}",
        PasswordIdentity(login),
        verify=environment["REQUESTS_CA_BUNDLE"],
    )

    def delete(repository, digest):
        registry_images.delete(registry, repository, digest)
        for name in ctr("images", "list", "--quiet").stdout.split():
            if name.endswith(digest):
                ctr("images", "remove", "--sync", name)

    return delete


@pytest.mark.parametrize(
    ("after", "step", "said", "version"),
    [
        ("push_image", "smoke_test", "cannot be pulled", "7.0"),
        ("smoke_test", "apply_deployment", "Rolled back to version 1.0.0", "7.1"),
    ],
)
def test_an_image_that_is_gone(
    *, faults, live, load, left_over, api, vanish, after, step, said, version
):
    expected = (
        f"the run fails at {step} at once, saying that the registry has lost the image, the old "
        "release serves on"
    )
    name = f"image deleted from registry and node after {after}"
    with faults.case(name, expected) as case:
        code = live.source("plain-service", f"gone-{version}")
        with load(live) as found:
            run_id = begin(api, live, code, version=version, startupSeconds=10)
            reached(run_id, "push_image", "success")
            run = f"dags/deploy_service/dagRuns/{run_id}"
            digest = api.xcom(run, "push_image")["digest"]
            reached(run_id, after, "success")
            vanish(f"datafactory/e2e/{live.manifest['serviceName']}", digest)
            outcome = follow(api, run_id)
        first = (outcome.error or "no error").splitlines()[0]
        tries = outcome.steps[step]["tries"]
        case.seen = f"failed at {outcome.failed_step} after {age(run_id):.0f} s, tries: {tries}: "
        case.seen += first
        assert (outcome.state, outcome.failed_step) == ("failed", step)
        assert "cannot be pulled" in outcome.error
        assert "The registry no longer has the image" in outcome.error
        assert tries == 1
        assert said in outcome.error
        assert left_over(live) == []
        case.load(found)
