"""The volumes of a pod: the files of the manifest, and Secrets, ConfigMaps, CSI and empty folders.

Files are a ConfigMap whose name has a hash of their content. A changed file is a changed pod
template, so that it is rolled out, and the pods of an earlier release still find theirs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from manifest_engine.domain.manifest.mounts import Volume
from manifest_engine.domain.release.labels import PREFIX
from manifest_engine.domain.release.release import Release

Json = dict[str, Any]

_FILES = "files"
"""Name of the pod's volume with the files."""
_SUFFIX = "-files-"
_CSI_DRIVER = "secrets-store.csi.k8s.io"
""":source: https://secrets-store-csi-driver.sigs.k8s.io/"""


def files_name(release: Release) -> str:
    """Name of the ConfigMap with the files."""
    text = json.dumps(release.manifest.files, sort_keys=True)
    return f"{release.name}{_SUFFIX}{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def has_files(config_map: Mapping[str, Any], name: str) -> bool:
    """Whether the ConfigMap has the files of a release.

    :param name: object name of the service.
    """
    return str(config_map["metadata"]["name"]).startswith(name + _SUFFIX)


def files_data(release: Release) -> dict[str, str]:
    """The files by their key in the ConfigMap."""
    return {_key(number, path): text for number, path, text in _files(release)}


def volumes(release: Release) -> Json:
    """Part of the spec of the Deployment's pods; empty without volumes."""
    source = {"configMap": {"name": files_name(release)}}
    return _volumes(release, source)


def smoke_volumes(release: Release) -> Json:
    """Part of the spec of the smoke test's pod, whose files are annotations of the pod itself."""
    items = [
        {
            "path": _key(number, path),
            "fieldRef": {"fieldPath": f"metadata.annotations['{_annotation(number)}']"},
        }
        for number, path, _ in _files(release)
    ]
    return _volumes(release, {"downwardAPI": {"items": items}})


def smoke_annotations(release: Release) -> dict[str, str]:
    """The files as annotations, so that a smoke test leaves no ConfigMap behind."""
    return {_annotation(number): text for number, _, text in _files(release)}


def container_mounts(release: Release) -> Json:
    """Part of the service's container; empty without volumes."""
    mounts: list[Json] = [
        {"name": _FILES, "mountPath": path, "subPath": _key(number, path), "readOnly": True}
        for number, path, _ in _files(release)
    ]
    for number, (path, volume) in enumerate(sorted(release.manifest.volumes.items())):
        mount: Json = {"name": _name(number), "mountPath": path}
        mounts.append(mount if volume.empty_dir else mount | {"readOnly": True})
    return {"volumeMounts": mounts} if mounts else {}


def config_maps(pod_templates: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of the ConfigMaps that pods of these templates mount."""
    return {
        volume["configMap"]["name"]
        for template in pod_templates
        for volume in template["spec"].get("volumes") or []
        if "configMap" in volume
    }


def _volumes(release: Release, files: Json) -> Json:
    made = [{"name": _FILES, **files}] if release.manifest.files else []
    for number, (_, volume) in enumerate(sorted(release.manifest.volumes.items())):
        made.append({"name": _name(number), **_source(volume)})
    return {"volumes": made} if made else {}


def _source(volume: Volume) -> Json:
    """:source: core/v1 Volume."""
    items = {"items": [{"key": key, "path": key} for key in volume.keys]} if volume.keys else {}
    if volume.secret:
        return {"secret": {"secretName": volume.secret, **items}}
    if volume.config_map:
        return {"configMap": {"name": volume.config_map, **items}}
    if volume.secret_provider_class:
        attributes = {"secretProviderClass": volume.secret_provider_class}
        return {"csi": {"driver": _CSI_DRIVER, "readOnly": True, "volumeAttributes": attributes}}
    assert volume.empty_dir is not None  # noqa: S101  (a volume has one source)
    folder = volume.empty_dir.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"emptyDir": folder}


def _files(release: Release) -> list[tuple[int, str, str]]:
    listed = sorted(release.manifest.files.items())
    return [(number, path, text) for number, (path, text) in enumerate(listed)]


def _key(number: int, path: str) -> str:
    """A key of a ConfigMap, which has no slashes."""
    return f"{number:02}-{path.rpartition('/')[2]}"


def _annotation(number: int) -> str:
    return f"{PREFIX}file-{number:02}"


def _name(number: int) -> str:
    return f"volume-{number:02}"
