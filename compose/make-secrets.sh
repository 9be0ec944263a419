#!/bin/sh
# Makes the missing secrets of docker-compose.yaml, one file each. Existing files are kept.
#   compose/make-secrets.sh [FOLDER]        (default: compose/secrets)
# Only the owner can enter the folder. The files are readable by all, because containers run as other
# users; a container sees only the files that are mounted into it.
set -eu
umask 022
command -v openssl >/dev/null || { echo "make-secrets.sh needs openssl, which is not installed" >&2; exit 1; }
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

# Without a newline at the end, because Airflow uses the whole file as the secret.
put() { [ -e "$1" ] || { printf %s "$(cat)" >"$1.new" && mv "$1.new" "$1"; }; }
word() { openssl rand -hex 24; }

put postgres_password <<EOF
$(word)
EOF
put redis_password <<EOF
$(word)
EOF
put database_url <<EOF
postgresql+psycopg2://airflow:$(cat postgres_password)@postgres/airflow
EOF
put broker_url <<EOF
redis://:$(cat redis_password)@redis:6379/0
EOF
put fernet_key <<EOF
$(openssl rand -base64 32 | tr '+/' '-_')
EOF
put jwt_secret <<EOF
$(word)$(word)
EOF
put api_secret_key <<EOF
$(word)
EOF
put airflow_passwords <<EOF
{"admin": "$(word)"}
EOF
# The account of Azurite, Azure's emulator. For a real account, put its connection string into
# "storage".
put azurite_accounts <<EOF
datafactory:$(openssl rand -base64 64 | tr -d '\n')
EOF
put storage <<EOF
DefaultEndpointsProtocol=http;AccountName=datafactory;AccountKey=$(cut -d: -f2 azurite_accounts);BlobEndpoint=http://azurite:10000/datafactory;
EOF
# Private certificate authorities, in PEM.
put ca_certificates </dev/null
# Airflow Connections in addition to those of the stack, in Airflow's JSON form; see README.md.
put connections <<EOF
{}
EOF

# TLS between workers and builders, with their own authority. The authority's key is deleted.
if [ ! -e builder_client_key ]; then
    days=3650
    issue() { # FILE COMMON_NAME EXTENSIONS
        openssl req -new -newkey rsa:3072 -nodes -subj "/CN=$2" -keyout "$1_key" -out "$1.csr" 2>/dev/null
        printf '%s\n' "$3" >"$1.ext"
        openssl x509 -req -in "$1.csr" -CA builder_ca -CAkey ca.key -CAcreateserial -days $days \
            -extfile "$1.ext" -out "$1_cert" 2>/dev/null
        rm "$1.csr" "$1.ext"
        chmod 644 "$1_key"
    }
    openssl req -x509 -newkey rsa:3072 -nodes -days $days -subj "/CN=Manifest Engine builders" \
        -keyout ca.key -out builder_ca 2>/dev/null
    issue builder builder "extendedKeyUsage=serverAuth
subjectAltName=DNS:builder-1,DNS:builder-2"
    issue builder_client worker "extendedKeyUsage=clientAuth"
    rm -f ca.key builder_ca.srl ca.srl
fi

# With SELinux, containers can read only files of this type.
if command -v selinuxenabled >/dev/null && selinuxenabled; then chcon -R -t container_file_t .; fi
