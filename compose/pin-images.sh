#!/bin/sh
# Pins the images of docker-compose.yaml: writes the current digest of each tag into an env file.
#   compose/pin-images.sh [FILE]        (default: .env)
# If the file already sets a variable, its image and tag are kept and the digest is updated.
set -eu
file=${1:-.env}
touch "$file"
# Matches ${POSTGRES_IMAGE:-postgres:17.11}. Our own image is built locally and has no digest to pin.
sed -n 's/.*\${\([A-Z]*_IMAGE\):-\([^}]*\)}.*/\1 \2/p' "$(dirname "$0")/../docker-compose.yaml" | sort -u |
    while read -r name default; do
        [ "$name" != MANIFEST_ENGINE_IMAGE ] || continue
        set_to=$(sed -n "s/^$name=//p" "$file" | tail -n 1)
        tag=${set_to:-$default}
        tag=${tag%@*}
        # Without JSON, buildx before 0.14 prints more than the digest.
        digest=$(docker buildx imagetools inspect --format '{{json .Manifest.Digest}}' "$tag" </dev/null)
        digest=$(echo "$digest" | tr -d '"')
        sed "/^$name=/d" "$file" >"$file.new"
        echo "$name=$tag@$digest" >>"$file.new"
        mv "$file.new" "$file"
        echo "$name=$tag@$digest"
    done
