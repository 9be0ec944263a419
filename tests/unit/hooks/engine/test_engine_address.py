"""A Docker Connection gives the address of the engine and the certificates for TLS."""

from pathlib import Path
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.hooks.engine.client import engine_address

PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
TLS = {"tls_ca_cert": PEM, "tls_client_cert": PEM, "tls_client_key": PEM}


@pytest.mark.parametrize(
    ("host", "port", "extra", "url"),
    [
        (None, None, {}, "unix:///var/run/docker.sock"),
        ("unix:///run/docker.sock", None, {}, "unix:///run/docker.sock"),
        ("/run/docker.sock", None, {}, "unix:///run/docker.sock"),
        ("tcp://builder:2376", None, TLS, "tcp://builder:2376"),
        ("tcp://builder", 2377, TLS, "tcp://builder:2377"),
        ("builder", None, TLS, "tcp://builder:2376"),
        ("builder", None, {}, "tcp://builder:2375"),
        ("https://builder/", None, TLS, "tcp://builder:2376"),
        ("tcp://[::1]", None, TLS, "tcp://[::1]:2376"),
        ("tcp://[::1]:99", None, TLS, "tcp://[::1]:99"),
    ],
)
def test_the_host_is_accepted_in_several_forms(
    host: str | None, port: int | None, extra: dict[str, Any], url: str
) -> None:
    assert engine_address("docker_default", host, port, extra).url == url


def test_certificates_can_be_text_or_files(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(PEM)
    address = engine_address("b", "tcp://b:2376", None, {**TLS, "tls_ca_cert": str(file)})
    assert address.tls == {"ca.pem": PEM, "cert.pem": PEM, "key.pem": PEM}
    assert address.variables(Path("/private")) == {
        "DOCKER_HOST": "tcp://b:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/private",
    }


def test_incomplete_certificates_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'b' has no tls_ca_cert, tls_client_key in its"):
        engine_address("b", "tcp://b", None, {"tls_client_cert": PEM})


def test_a_missing_file_is_reported_by_its_key_and_never_by_its_value() -> None:
    with pytest.raises(ConfigurationError, match="tls_client_key in the extra") as caught:
        engine_address("b", "tcp://b", None, {**TLS, "tls_client_key": "hunter2"})
    assert "hunter2" not in str(caught.value)
