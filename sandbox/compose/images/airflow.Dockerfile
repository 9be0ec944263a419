# Stands in for apache/airflow (slim): user, home, virtual environment and entrypoint as there.
FROM python:3.11
RUN --mount=type=bind,from=apt,target=/apt <<END
    set -e
    export APT_CONFIG=/apt/apt.conf DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends dumb-init
    rm -rf /var/lib/apt/lists /var/cache/apt /var/log/apt /var/log/dpkg.log
    useradd --uid 50000 --gid 0 --create-home airflow
    install -d -o airflow -g root -m 775 /opt/airflow
END
COPY --chmod=755 <<'END' /entrypoint
#!/usr/bin/env bash
case "$1" in
    bash | python | airflow) exec "$@" ;;
    *) exec airflow "$@" ;;
esac
END
USER airflow
ENV AIRFLOW_HOME=/opt/airflow \
    VIRTUAL_ENV=/home/airflow/.local \
    PATH=/home/airflow/.local/bin:/usr/local/bin:/usr/bin:/bin
# The packages of this repository besides Airflow itself: its own Dockerfile then finds them.
RUN --mount=type=bind,from=requirements,target=/requirements <<END
    set -e
    python3 -m venv /home/airflow/.local
    pip install --quiet --disable-pip-version-check --no-cache-dir uv
    uv pip install --quiet --no-cache --compile-bytecode --require-hashes --requirement /requirements/requirements.lock
END
WORKDIR /opt/airflow
EXPOSE 8080
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/entrypoint"]
CMD ["--help"]
