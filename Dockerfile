# The service and the shipped models, for the CPU or for an NVIDIA GPU, whose libraries come with the packages:
#
#     docker build --tag striate .
#     docker build --tag striate:cuda --target cuda .
#
# BASE needs Python 3.11 or newer with venv, and is what both stages stand on: `--build-arg BASE=…`.
# docs/container.md tells the rest.

ARG BASE=python:3.13-slim-bookworm


FROM ${BASE} AS build
RUN python3 -m venv /opt/striate
ENV PATH=/opt/striate/bin:$PATH
WORKDIR /build
COPY deploy/container/install deploy/container/prune deploy/container/compile ./

FROM build AS build-cpu
COPY locks/cpu.txt requirements.txt
RUN ./install --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY service service
RUN ./install --no-build-isolation --prefix /build/service-alone . && ./prune /opt/striate

FROM build-cpu AS compile-cpu
RUN cp --archive /build/service-alone/. /opt/striate && ./compile /opt/bytecode

FROM build AS build-cuda
COPY locks/gpu.txt requirements.txt
RUN ./install --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY service service
RUN ./install --no-build-isolation --prefix /build/service-alone . && ./prune /opt/striate

FROM build-cuda AS compile-cuda
RUN cp --archive /build/service-alone/. /opt/striate && ./compile /opt/bytecode


FROM ${BASE} AS serve
ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Striate" \
      org.opencontainers.image.description="REST inference for convolutional networks: classes, and feature maps of any layer" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
RUN groupadd --gid 10001 striate \
 && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin striate
ENV PATH=/opt/striate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPYCACHEPREFIX=/opt/striate/bytecode \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    STRIATE_HOST=0.0.0.0 \
    STRIATE_MODELS=/models
COPY models /models
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["striate", "health"]
ENTRYPOINT ["striate"]
CMD ["serve"]

FROM serve AS cuda
# What NVIDIA's container runtime looks for.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-cuda /opt/striate /opt/striate
COPY --from=build-cuda /build/service-alone /opt/striate
COPY --from=compile-cuda /opt/bytecode /opt/striate/bytecode

# The last one is built where no target is named.
FROM serve AS cpu
COPY --from=build-cpu /opt/striate /opt/striate
COPY --from=build-cpu /build/service-alone /opt/striate
COPY --from=compile-cpu /opt/bytecode /opt/striate/bytecode
