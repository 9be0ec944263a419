#!/bin/sh
# What a person does by hand: by_hand.sh ZIP IMAGE [no-push]
# Prints when docker build began and when docker push ended, in seconds since 1970.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unzip -q "$1" -d "$folder"
date +%s.%N
docker build --quiet --file "$folder/scripts/Dockerfile" --tag "$2" "$folder" > /dev/null
[ "$3" = no-push ] || docker push --quiet "$2" > /dev/null
date +%s.%N
