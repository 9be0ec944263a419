#!/bin/sh
# Starts an Airflow component with a CA bundle of the image's authorities and those of CA_CERTIFICATES.
# docker-compose.yaml names the bundle in SSL_CERT_FILE and REQUESTS_CA_BUNDLE.
set -eu
{ cat /etc/ssl/certs/ca-certificates.crt; echo; cat /run/secrets/ca_certificates; } >/tmp/ca-bundle.crt
exec /entrypoint "$@"
