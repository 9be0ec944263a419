"""The run conf of a DAG that changes a deployed service: the service and its environment."""

from __future__ import annotations

from pydantic import Field

from manifest_engine.domain.core import names
from manifest_engine.domain.core.model import Model


class ServiceRequest(Model):
    """The fields that all these DAGs have, and the run conf of ``restart_service``."""

    component: str = Field(min_length=1, max_length=names.LABEL_MAX)
    service_name: str = Field(min_length=1, max_length=names.LABEL_MAX)
    environment: str = Field(max_length=names.LABEL_MAX)

    @property
    def object_name(self) -> str:
        return names.object_name(self.component, self.service_name)
