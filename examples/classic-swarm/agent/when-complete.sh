#!/bin/sh
# Runs swarm with the arguments given, on a machine whose labels are complete. Docker is labelled at
# its start or never: a node that joins with half its labels is given the wrong work until it reboots.
set -eu

if [ "${EC2_METADATA_STATUS:-none}" != complete ]; then
    echo "not joining: EC2_METADATA_STATUS is ${EC2_METADATA_STATUS:-not set}, not complete;" \
        "see: sudo system-docker logs ec2-metadata" >&2
    # No failure: with "restart: on-failure" the container then stays down.
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
