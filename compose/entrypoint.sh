#!/bin/sh
# Starts a component of Airflow with one file of all authorities that it trusts: the image's own and
# those of CA_CERTIFICATES (docker-compose.yaml). SSL_CERT_FILE and REQUESTS_CA_BUNDLE name it.
set -eu
{ cat /etc/ssl/certs/ca-certificates.crt; echo; cat /run/secrets/ca_certificates; } >/tmp/ca-bundle.crt
exec /entrypoint "$@"
