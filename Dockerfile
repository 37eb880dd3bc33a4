# The service and the shipped models, for the CPU or, with LOCK=gpu, for CUDA (the libraries come with the packages):
#
#     docker build -t striate .
#     docker build -t striate:gpu --build-arg LOCK=gpu .

ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ARG LOCK=cpu
RUN python3 -m venv /opt/striate
WORKDIR /build
COPY locks/${LOCK}.txt requirements.txt
RUN /opt/striate/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY export export
RUN /opt/striate/bin/pip install --no-cache-dir --no-compile --no-deps --no-build-isolation .

FROM ${BASE}
LABEL org.opencontainers.image.title="Striate" \
      org.opencontainers.image.description="REST inference for convolutional networks: classes, and feature maps of any layer" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --no-create-home striate
COPY --from=build /opt/striate /opt/striate
COPY models /models
ENV PATH=/opt/striate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    STRIATE_HOST=0.0.0.0 \
    STRIATE_MODELS=/models
USER striate
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=2)"]
ENTRYPOINT ["striate"]
CMD ["serve"]
