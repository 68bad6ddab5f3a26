# One image for web, worker and beat, with code and static files and without secrets.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY requirements.txt ./
# The final image needs no pip.
RUN python -m venv --without-pip /venv
RUN pip --python /venv/bin/python install --quiet --require-hashes --only-binary :all: --requirement requirements.txt
ENV PATH=/venv/bin:$PATH
COPY manage.py ./
COPY core core
COPY keys keys
COPY newsroom newsroom
COPY staff staff
COPY articles articles
COPY newsletter newsletter
# Installed as an app with PRODUCTION=0 only.
COPY demo demo
COPY templates templates
COPY static static
COPY locale locale
RUN python -m newsroom.catalogues compile
# With hashed names, as in production; the values do not matter here.
RUN PRODUCTION=1 SITE_URL=https://example.org RELAY_URL=smtps://example.org SECRET_KEY=only-while-the-static-files-are-collected-0123456789 python manage.py collectstatic --no-input --verbosity 0
RUN python -m compileall -q core keys newsroom staff articles newsletter demo

FROM python:3.11-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 10001 newsroom && useradd --uid 10001 --gid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin newsroom
# A new volume takes owner and mode of its mount point.
RUN install --directory --owner=newsroom --group=newsroom --mode=0700 /keys/worker /keys/shared /departures /app/var /app/var/media
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["python", "-m", "newsroom.health", "web", "http://127.0.0.1:8000/healthz"]
CMD ["python", "-m", "newsroom.web", "--bind", "0.0.0.0:8000", "--workers", "2"]
