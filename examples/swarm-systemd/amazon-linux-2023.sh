#!/bin/sh
# User-data of a worker in Swarm mode on Amazon Linux 2023. Its labels come from tags.
set -eu

dnf install --assumeyes python3.11
aws s3 cp s3://example-bucket/ec2-docker-labels-1.0.0.pyz /root/ec2-docker-labels.pyz
# Wait for the tag of the role. Without it the status is not "complete", and the worker does not join.
python3.11 /root/ec2-docker-labels.pyz install -t docker. --require-tag docker.role --follow 60

# Install Docker after it: Docker's start waits for the end of the run, and so Docker has its labels.
dnf install --assumeyes docker
systemctl enable --now docker.service

value() {
    sed -n "s/^$1=\"\(.*\)\"$/\1/p" /run/metadata/ec2
}
if [ "$(value EC2_METADATA_STATUS)" != complete ]; then
    echo "not joining: see journalctl -u ec2-docker-labels.service" >&2
    exit 1
fi
# The worker's token, never the manager's: whoever reads a manager's token can take over the Swarm.
token=$(aws ssm get-parameter --region "$(value AWS_REGION)" \
    --name /swarm/production/worker-token --with-decryption --query Parameter.Value --output text)
docker swarm join --token "$token" --advertise-addr "$(value AWS_LOCAL_IPV4)" \
    manager.example.internal:2377
