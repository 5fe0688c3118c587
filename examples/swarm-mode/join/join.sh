#!/bin/sh
# Joins this machine to the Swarm as a worker, if its labels are complete. Docker reads its labels
# only when it starts: a worker that joins without some of them gets the wrong tasks until it reboots.
set -eu

if [ "${EC2_METADATA_STATUS:-none}" != complete ]; then
    echo "not joining: EC2_METADATA_STATUS is ${EC2_METADATA_STATUS:-not set}, not complete;" \
        "see: sudo system-docker logs ec2-metadata" >&2
    # Status 0: with "restart: on-failure" the container is not started again.
    exit 0
fi
# From the second boot on Docker is in the Swarm by itself, with the labels of that boot.
if [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = active ]; then
    echo "already in the Swarm"
    exit 0
fi
# The worker's token, never the manager's: whoever reads a manager's token can take over the Swarm.
token=$(aws ssm get-parameter --region "$AWS_REGION" --name "$SWARM_TOKEN_PARAMETER" \
    --with-decryption --query Parameter.Value --output text)
# Docker takes the token only as an argument: it is in the machine's process list for a moment.
exec docker swarm join --token "$token" --advertise-addr "$AWS_LOCAL_IPV4" "$SWARM_MANAGER"
