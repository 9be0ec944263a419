"""The run conf of a DAG that changes a deployed service: the service and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from manifest_engine.domain.core import names, problems
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest import run_conf


class ServiceRequest(Model):
    """The fields that all these DAGs have, and the run conf of ``restart_service``."""

    component: str = Field(min_length=1, max_length=names.LABEL_MAX)
    service_name: str = Field(min_length=1, max_length=names.LABEL_MAX)
    environment: str = Field(max_length=names.LABEL_MAX)

    @property
    def object_name(self) -> str:
        return names.object_name(self.component, self.service_name)


Request = TypeVar("Request", bound=ServiceRequest)


def parse(kind: type[Request], conf: Mapping[str, Any], what: str) -> Request:
    """Read a run conf. A null field counts as missing.

    :param what: the request in an error, such as ``rollback``.
    :raises ManifestError: naming every problem.
    """
    run_conf.require_small(conf)
    run_conf.require_printable(conf)
    given = {key: value for key, value in conf.items() if value is not None}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        found = problems.sentences(error, kind)
        raise ManifestError(f"The {what} is not valid: {found}.") from None
