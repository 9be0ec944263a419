#!/bin/sh
# What a person does by hand: by_hand.sh FOLDER ZIP_URL IMAGE NAME URL
# FOLDER holds smoke.yaml, deployment.yaml and route.yaml, with IMAGE where the image belongs, and
# curl's header for Artifactory. Prints the name and the end of each step, in seconds since 1970.
set -e
folder=$1 zip=$2 image=$3 name=$4 url=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ended() { echo "$1 $(date +%s.%N)"; }

curl --fail --silent --show-error --header "@$folder/header" --output "$work/service.zip" "$zip"
mkdir "$work/context"
# With the time of now (-DD): docker build takes files of the same time and size for unchanged ones.
unzip -q -DD "$work/service.zip" -d "$work/context"
ended download_artifact
docker build --quiet --file "$folder/Dockerfile" --tag "$image" "$work/context" > "$work/id"
ended build_image
docker push --quiet "$image" > /dev/null
pushed=$(docker inspect --format '{{index .RepoDigests 0}}' "$image")
ended push_image

deployed() { sed "s#IMAGE#$pushed#; s#SMOKE#$smoke#" "$folder/$1"; }
smoke=$name-smoke-$(date +%s) # the last one may still be ending
deployed smoke.yaml | kubectl apply --filename - > /dev/null
kubectl wait --for=condition=Ready --timeout=60s "pod/$smoke" > /dev/null
kubectl exec "$smoke" -- python3 -c \
  'import urllib.request as r; assert r.urlopen("http://127.0.0.1:8002/health").status == 200'
kubectl delete --now --wait=false "pod/$smoke" > /dev/null
ended smoke_test
deployed deployment.yaml | kubectl apply --filename - > /dev/null
kubectl rollout status "deployment/$name" --timeout=120s > /dev/null
ended apply_deployment
kubectl apply --filename "$folder/route.yaml" > /dev/null
curl --fail --silent --show-error --retry 30 --retry-all-errors --retry-delay 1 --output /dev/null "$url"
ended publish_route
