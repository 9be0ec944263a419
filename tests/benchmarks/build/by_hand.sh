#!/bin/sh
# What a person does by hand: by_hand.sh ZIP IMAGE [no-push]
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unzip -q "$1" -d "$folder"
docker build --quiet --file "$folder/scripts/Dockerfile" --tag "$2" "$folder" > /dev/null
[ "$3" = no-push ] || docker push --quiet "$2" > /dev/null
