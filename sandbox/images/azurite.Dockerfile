# Stands in for mcr.microsoft.com/azure-storage/azurite: the same program, from npm.
FROM python:3.11 AS npm
RUN --mount=type=bind,from=apt,target=/apt <<END
    set -e
    export APT_CONFIG=/apt/apt.conf DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends nodejs npm
END
# 3.36 and later want a newer Node.js than Debian's.
RUN NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    npm install --prefix /opt/azurite --no-audit --no-fund --omit=dev azurite@3.35.0

FROM python:3.11
RUN --mount=type=bind,from=apt,target=/apt <<END
    set -e
    export APT_CONFIG=/apt/apt.conf DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends nodejs
    rm -rf /var/lib/apt/lists /var/cache/apt/archives
END
COPY --from=npm /opt/azurite /opt/azurite
RUN ln -s /opt/azurite/node_modules/.bin/azurite-blob /usr/local/bin/azurite-blob
VOLUME /data
WORKDIR /opt/azurite
CMD ["azurite-blob", "--blobHost", "0.0.0.0", "--location", "/data"]
