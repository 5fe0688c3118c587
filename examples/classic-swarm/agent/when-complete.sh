#!/bin/sh
# Runs swarm with the arguments given, if the labels of this machine are complete. Docker reads its
# labels only when it starts: a node that joins without some of them gets the wrong containers until
# it reboots.
set -eu

if [ "${EC2_METADATA_STATUS:-none}" != complete ]; then
    echo "not joining: EC2_METADATA_STATUS is ${EC2_METADATA_STATUS:-not set}, not complete;" \
        "see: sudo system-docker logs ec2-metadata" >&2
    # Status 0: with "restart: on-failure" the container is not started again.
    exit 0
fi
for name in SWARM_ADVERTISE SWARM_DISCOVERY; do
    if ! printenv "$name" >/dev/null; then
        echo "not joining: $name is not set; name it in 'environment:' of this service," \
            "and see: sudo system-docker logs ec2-metadata" >&2
        exit 0
    fi
done
exec swarm "$@"
