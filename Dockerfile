# syntax=docker/dockerfile:1
# podtab as an image: Debian's BCC (LLVM is most of the size), our Python packages, nothing that only builds.
#
# Runs as root: loading BPF programs and looking into other processes' files need capabilities (BPF, PERFMON, SYS_PTRACE; SYS_ADMIN
# where links are perf_events), and a container's non-root user gets none.  Everything else can be dropped; the chart's profile `least` does.
#
# Two optional build secrets for machines whose package index is not the public one: `pip_conf` (a pip.conf) and `ca` (a bundle of CAs).

# Pin it by digest in a release: --build-arg BASE=docker.io/library/debian:bookworm-slim@sha256:…
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-dev python3-venv binutils gcc libc6-dev
WORKDIR /src
# The environment uses the system's Python, because Debian's BCC is built for it.
RUN python3 -m venv --system-site-packages /opt/podtab
COPY pyproject.toml README.md constraints.txt ./
COPY scripts/compile scripts/compile
COPY agent agent
COPY bpf bpf
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    /opt/podtab/bin/pip install --no-cache-dir --no-compile --constraint constraints.txt '.[tokenizer]'
# The core as machine code: it reads every call, and so takes a third of the time (docs/decisions/0022-a-compiled-core.md).
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    /opt/podtab/bin/pip install --no-cache-dir --target /opt/mypyc --constraint constraints.txt mypy setuptools==80.9.0 types-PyYAML \
 && PYTHONPATH=/opt/mypyc /opt/podtab/bin/python scripts/compile . \
 && find . -name '*.so' -exec cp --parents -t /opt/podtab/lib/python3.11/site-packages {} +
# The Kubernetes client brings a second, asynchronous copy of itself; wheels bring debug symbols.  Byte code is made here, once,
# because the container's root file system is read-only.
RUN /opt/podtab/bin/pip uninstall -y -q aiohttp aiohttp-retry setuptools pip \
 && rm -r /opt/podtab/lib/python3.11/site-packages/kubernetes/aio \
 && find /opt/podtab -name '*.so*' -type f -exec strip --strip-unneeded {} + \
 && python3 -m compileall -q /opt/podtab/lib \
 && /opt/podtab/bin/python -c 'import capstone, kubernetes.client, kubernetes.config, kubernetes.watch, httptools, zstandard, brotli, agent.model as core; assert core.__file__.endswith(".so")'

FROM ${BASE} AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-minimal libpython3.11-stdlib python3-bpfcc
# What Debian's packages bring and a running agent never opens.  dpkg's list of packages stays, so that scanners see what is inside.
RUN rm -rf /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/zoneinfo /usr/share/perl* \
           /usr/lib/*/perl* /usr/lib/*/gconv /usr/lib/python3.11/lib2to3 /var/cache/* /var/lib/apt /var/log/*
COPY --from=build /opt/podtab /opt/podtab
# What is inside, for scanners and auditors: `docker run --rm --entrypoint cat IMAGE /usr/share/podtab/sbom.cdx.json`
ARG VERSION=0.0.0
COPY scripts/sbom /tmp/sbom
RUN mkdir -p /usr/share/podtab \
 && python3 /tmp/sbom podtab "${VERSION}" /opt/podtab/lib/python3.11/site-packages > /usr/share/podtab/sbom.cdx.json \
 && rm /tmp/sbom

# One layer from nothing: what was removed above is really gone.
FROM scratch
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="podtab" \
      org.opencontainers.image.description="A running tab of what every pod spends on AI: eBPF at the TLS libraries, no application changes" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=runtime / /
ENV PATH=/opt/podtab/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
EXPOSE 9464
ENTRYPOINT ["podtab"]
CMD ["run"]
