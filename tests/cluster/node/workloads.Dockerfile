# What the test cluster's pods run: the providers' official SDKs, and the fake provider that keeps its own books.
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-brotli python3-zstandard nodejs ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY sdks /srv/.cache/demo
COPY agent /srv/agent
WORKDIR /srv
