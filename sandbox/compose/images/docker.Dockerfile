# Stands in for docker.io/library/docker (dind): engine, client and plugin where that has them.
FROM python:3.11
RUN --mount=type=bind,from=apt,target=/apt <<END
    set -e
    export APT_CONFIG=/apt/apt.conf DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends \
        docker.io docker-cli docker-buildx containerd runc iptables kmod xz-utils procps
    rm -rf /var/lib/apt/lists /var/cache/apt /var/log/apt /var/log/dpkg.log
    mkdir -p /usr/local/libexec/docker/cli-plugins
    mv /usr/bin/docker /usr/local/bin/docker
    mv /usr/libexec/docker/cli-plugins/docker-buildx /usr/local/libexec/docker/cli-plugins/ ||
        mv /usr/lib/docker/cli-plugins/docker-buildx /usr/local/libexec/docker/cli-plugins/
END
COPY --chmod=755 <<'END' /usr/local/bin/dockerd-entrypoint.sh
#!/bin/sh
# What a killed engine left would keep the next one from starting.
find /run /var/run -iname 'docker*.pid' -delete -o -iname 'container*.pid' -delete
exec "$@"
END
VOLUME /var/lib/docker
ENTRYPOINT ["dockerd-entrypoint.sh"]
CMD ["dockerd"]
