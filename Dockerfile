# The image of every Airflow component of docker-compose.yaml. Images are named by arguments, for
# mirrors: docker build --build-arg AIRFLOW_IMAGE=mirror.example.com/apache/airflow:… .
ARG AIRFLOW_IMAGE=apache/airflow:slim-3.3.2-python3.11
ARG DOCKER_IMAGE=docker:29.9.0-dind

FROM ${DOCKER_IMAGE} AS docker

FROM ${AIRFLOW_IMAGE}

# The client alone: builds run on the builders.
COPY --from=docker /usr/local/bin/docker /usr/local/bin/docker
COPY --from=docker /usr/local/libexec/docker/cli-plugins/docker-buildx \
    /usr/local/libexec/docker/cli-plugins/docker-buildx

USER airflow
WORKDIR /opt/airflow

COPY requirements.txt constraints.txt requirements/
COPY compose/requirements.txt requirements/many-workers.txt
RUN pip install --no-cache-dir --disable-pip-version-check --constraint requirements/constraints.txt \
    --requirement requirements/requirements.txt --requirement requirements/many-workers.txt

# Tasks may read the code and not change it; compiled here, or each of them would compile it anew.
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

# Types of Connections are looked for before Airflow itself adds the plugins to sys.path.
ENV PYTHONPATH=/opt/airflow/plugins

ENTRYPOINT ["/usr/bin/dumb-init", "--", "sh", "/opt/airflow/compose/entrypoint.sh"]
CMD ["--help"]
