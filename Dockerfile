# The image of the service: docs/image.md. BASE_IMAGE has Python 3.10 or newer below /usr/local.
ARG BASE_IMAGE=python:3.13-alpine

FROM ${BASE_IMAGE} AS build
WORKDIR /build
COPY requirements.lock ./
RUN python3 -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
        --require-hashes --only-binary :all: --target /app --requirement requirements.lock \
    && rm -rf /app/bin /app/*.dist-info/RECORD /app/*/tests
COPY docker/prune_botocore.py docker/strip_debug.py docker/compile_used.py ./
RUN python3 prune_botocore.py /app && python3 strip_debug.py /app
COPY LICENSE docker/__main__.py /app/
COPY rancheros_ec2_metadata /app/rancheros_ec2_metadata
# The base has no compiled modules, and the service's root is read-only: they are compiled here.
RUN python3 -I -S -B -X pycache_prefix=/app/pycache compile_used.py /app \
    && chmod -R a+rX /app

FROM ${BASE_IMAGE}
ARG BASE_IMAGE
ARG VERSION=unknown
LABEL org.opencontainers.image.title="rancheros-ec2-metadata" \
      org.opencontainers.image.description="EC2 tags and metadata into RancherOS, before Docker starts" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/ensurepip /usr/local/lib/python3.*/*-packages/*
COPY --from=build /app /app
# Where `ros` looks is the copy of a rehearsal, in the container's own memory.
RUN mkdir -p /var/lib/rancher && ln -s /dev/shm/rancher-conf /var/lib/rancher/conf
# Isolated, and without site: nothing of the environment or of a mounted folder is imported.
ENTRYPOINT ["python3", "-I", "-S", "-X", "pycache_prefix=/app/pycache", "/app"]
