# The environment of `make`, as it is: what requirements.lock pins, and our code. Settings are PostgreSQL's (compose.yaml).
FROM python:3.11-slim

RUN apt-get update && apt-get install -qy --no-install-recommends make gcc libc6-dev && rm -rf /var/lib/apt/lists/*

WORKDIR /srv/antivenom
COPY . .
RUN --mount=type=cache,target=/srv/pip PIP_CACHE_DIR=/srv/pip make .venv/.installed

# Nothing runs as root. A volume takes over whose the folder is.
RUN useradd --create-home antivenom \
    && install -d -o antivenom /srv/dagster /srv/dagster/storage \
    && install -o antivenom dagster.postgres.yaml /srv/dagster/dagster.yaml
USER antivenom

ENV PATH=/srv/antivenom/.venv/bin:$PATH DAGSTER_HOME=/srv/dagster
ENV DAGSTER_DISABLE_TELEMETRY=1 GX_ANALYTICS_ENABLED=false TOKENIZERS_PARALLELISM=false
