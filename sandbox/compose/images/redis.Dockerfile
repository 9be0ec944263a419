# Stands in for docker.io/library/redis.
FROM python:3.11
RUN --mount=type=bind,from=apt,target=/apt <<END
    set -e
    export APT_CONFIG=/apt/apt.conf DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends redis-server
    rm -rf /var/lib/apt/lists /var/cache/apt /var/log/apt /var/log/dpkg.log
    install -d -o redis -g redis /data
END
VOLUME /data
WORKDIR /data
CMD ["redis-server", "--protected-mode", "no"]
