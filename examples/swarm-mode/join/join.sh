#!/bin/sh
# Joins this machine to the Swarm as a worker, if its labels are complete. Docker is labelled at its
# start or never: a worker that joins with half its labels is given the wrong work until it reboots.
set -eu

if [ "${EC2_METADATA_STATUS:-none}" != complete ]; then
    echo "not joining: EC2_METADATA_STATUS is ${EC2_METADATA_STATUS:-not set}, not complete;" \
        "see: sudo system-docker logs ec2-metadata" >&2
    # No failure: with "restart: on-failure" the container then stays down.
    exit 0
fi
# From the second boot on Docker is in the Swarm by itself, with the labels of this boot.
if [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = active ]; then
    echo "already in the Swarm"
    exit 0
fi
# The worker's token. The manager's would let whoever reads it here take over the whole Swarm.
token=$(aws ssm get-parameter --region "$AWS_REGION" --name "$SWARM_TOKEN_PARAMETER" \
    --with-decryption --query Parameter.Value --output text)
# Docker takes the token as an argument only: for this moment it shows in the machine's process list.
exec docker swarm join --token "$token" --advertise-addr "$AWS_LOCAL_IPV4" "$SWARM_MANAGER"
