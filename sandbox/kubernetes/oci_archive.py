"""Writes an OCI archive of one static program, without an engine."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PREFIX = "application/vnd.oci.image"


def write(target: Path, name: str, program: Path) -> None:
    """Write the archive of image ``name`` with the entry point ``program`` to ``target``."""
    layer = _tar({program.name: program.read_bytes()}, mode=0o755)
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    blobs: dict[str, bytes] = {}

    def add(kind: str, content: bytes) -> dict[str, object]:
        digest = _digest(content)
        blobs[f"blobs/sha256/{digest.removeprefix('sha256:')}"] = content
        return {"mediaType": f"{_PREFIX}.{kind}", "digest": digest, "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_PREFIX}.manifest.v1+json",
        "config": add("config.v1+json", json.dumps(config).encode()),
        "layers": [add("layer.v1.tar", layer)],
    }
    named = add("manifest.v1+json", json.dumps(manifest).encode())
    named["annotations"] = {"io.containerd.image.name": name}
    index = {"schemaVersion": 2, "manifests": [named]}
    target.write_bytes(
        _tar(
            {
                "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
                "index.json": json.dumps(index).encode(),
                **blobs,
            },
            mode=0o644,
        )
    )


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
