"""Two services with one object name are distinguished by the labels of the live Deployment."""

import pytest
from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.workload import name_collisions, resources

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release


def live(**labels):
    made = resources.workload(make_release(component="a-b", serviceName="c"), DIGEST, ARTIFACT)[0]
    made["metadata"]["labels"] |= labels
    return made


def test_the_owner_of_a_name_is_named():
    assert names.object_name("a", "b-c") == names.object_name("a-b", "c")
    with pytest.raises(ManifestError) as raised:
        name_collisions.refuse("a", "b-c", live())
    assert "a-b-c in namespace 'apps' is the service 'c' of component 'a-b'" in str(raised.value)
    assert "not 'b-c' of 'a'" in str(raised.value)


@pytest.mark.parametrize(
    "found", [None, live(), {"metadata": {"labels": {}}}, live(**{label.MANAGED_BY: "Helm"})]
)
def test_the_service_s_own_or_a_foreign_deployment_is_accepted(found):
    name_collisions.refuse("a-b", "c", found)


def test_a_foreign_deployment_is_ignored():
    name_collisions.refuse("a", "b-c", live(**{label.MANAGED_BY: "Helm"}))
