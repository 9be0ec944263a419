# The image of every Airflow component in docker-compose.yaml. To use a mirror, set the arguments:
# docker build --build-arg AIRFLOW_IMAGE=mirror.example.com/apache/airflow:… .
ARG AIRFLOW_IMAGE=apache/airflow:slim-3.3.2-python3.11
ARG DOCKER_IMAGE=docker:29.9.0-dind

FROM ${DOCKER_IMAGE} AS docker

FROM ${AIRFLOW_IMAGE}

# Only the client, because builds run on the builders.
COPY --from=docker /usr/local/bin/docker /usr/local/bin/docker
COPY --from=docker /usr/local/libexec/docker/cli-plugins/docker-buildx \
    /usr/local/libexec/docker/cli-plugins/docker-buildx

USER airflow
WORKDIR /opt/airflow

COPY compose/requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.lock

# Root owns the code, so that tasks cannot change it. Compile it here, or each task would compile it.
USER root
COPY compose/airflow_local_settings.py config/
COPY compose/init.py compose/alive.py compose/entrypoint.sh compose/
COPY include include
COPY plugins plugins
COPY dags dags
RUN PYTHONPATH=plugins python -m manifest_engine register \
    && python -m compileall -q config compose dags plugins \
    && install -d -o airflow -g root -m 775 audit
USER airflow

# Airflow looks for Connection types before it adds the plugins folder to sys.path.
ENV PYTHONPATH=/opt/airflow/plugins

ENTRYPOINT ["/usr/bin/dumb-init", "--", "sh", "/opt/airflow/compose/entrypoint.sh"]
CMD ["--help"]
