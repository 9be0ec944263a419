"""The registry, with ACR's token protocol, and the docker client's login."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import requests

from sandbox.core import credentials, pki, process
from sandbox.core.part import Part, SandboxError, wait_until
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine import docker_cli
from sandbox.services.azure import entra

_ISSUER = "Manifest Engine sandbox registry"
_PROGRAMS = ("docker-registry", "registry")
_TOKENS = "registry-tokens"


def login() -> dict[str, Any]:
    """``user`` and ``password`` of an account with all rights, like ACR's admin user."""
    return credentials.load_or_make(
        "registry", lambda: {"user": "sandbox", "password": credentials.password()}
    )


class Registry(Part):
    """Listens with TLS on the pod bridge; the token server has its own port."""

    name = "registry"
    needs = ("packages", "network")

    def start(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        pair = pki.issue(
            "registry", common_name=SETTINGS.registry, addresses=[SETTINGS.pod_gateway]
        )
        signer = pki.issue("registry-tokens", common_name=_ISSUER)
        self._start_token_server(pair, signer)
        self._start_registry(pair, signer)
        docker_cli.log_in(SETTINGS.registry, login()["user"], login()["password"])
        wait_until(self.ready, 20, "the registry")

    def ready(self) -> str | None:
        for name in (_TOKENS, self.name):
            if problem := process.require_alive(name):
                return problem
        try:
            challenge = self._get(f"https://{SETTINGS.registry}/v2/")
            refusal = self._get(f"{self._realm}?service={SETTINGS.registry}")
        except (requests.RequestException, OSError) as error:
            return str(error)
        if challenge.status_code != 401 or refusal.status_code != 401:
            return f"it answers {challenge.status_code} without a login"
        return None

    def stop(self) -> None:
        for name in (self.name, _TOKENS):
            process.stop(name)
        shutil.rmtree(self._home, ignore_errors=True)
        shutil.rmtree(docker_cli.CONFIG, ignore_errors=True)
        credentials.forget("registry")

    def where(self) -> str:
        return f"https://{SETTINGS.registry}"

    def exports(self) -> dict[str, str]:
        if not credentials.path("registry").exists():
            return {}
        return {
            "REGISTRY": SETTINGS.registry,
            "REGISTRY_USER": login()["user"],
            "REGISTRY_PASSWORD": login()["password"],
        }

    @property
    def _home(self) -> Path:
        return SETTINGS.state / "registry"

    @property
    def _realm(self) -> str:
        return f"https://{SETTINGS.pod_gateway}:{SETTINGS.token_port}/oauth2/token"

    @staticmethod
    def _get(url: str) -> requests.Response:
        return requests.get(url, verify=str(SETTINGS.ca), timeout=2)

    def _start_registry(self, pair: pki.Pair, signer: pki.Pair) -> None:
        configuration = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self._home / "storage")},
                "delete": {"enabled": True},
                "cache": {"blobdescriptor": "inmemory"},
            },
            "http": {
                "addr": SETTINGS.registry,
                "tls": {"certificate": str(pair.certificate), "key": str(pair.key)},
            },
            "auth": {
                "token": {
                    "realm": self._realm,
                    "service": SETTINGS.registry,
                    "issuer": _ISSUER,
                    "rootcertbundle": str(signer.certificate),
                }
            },
        }
        file = self._home / "config.yml"
        file.write_text(json.dumps(configuration, indent=2))  # JSON is YAML
        program = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
        if program is None:
            raise SandboxError("there is no docker-registry program: start the part 'packages'")
        process.start(self.name, [program, "serve", file])

    def _start_token_server(self, pair: pki.Pair, signer: pki.Pair) -> None:
        identity = entra.identity()
        configuration = {
            "service": SETTINGS.registry,
            "issuer": _ISSUER,
            "certificate": str(signer.certificate),
            "key": str(signer.key),
            **login(),
            "tenant": identity["tenant"],
            "entra_keys": entra.keys_url(),
            "entra_ca": str(SETTINGS.ca),
            "roles": {app["client_id"]: app["registry_role"] for app in identity["clients"]},
        }
        file = credentials.write_private(self._home / "tokens.json", json.dumps(configuration))
        words: list[str | Path] = ["--config", file, "--host", SETTINGS.pod_gateway]
        words += ["--port", str(SETTINGS.token_port)]
        words += ["--certificate", pair.certificate, "--key", pair.key]
        program = [sys.executable, "-m", "sandbox.services.registry.token_server"]
        process.start(_TOKENS, [*program, *words], cwd=REPOSITORY)
