# The command encconf, as nobody: docker run --rm --read-only -v "$PWD:/work:ro" encconf check
# docs/containers.md says how to use it, and how to put encconf into an image of your own.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY encconf encconf
RUN python -m venv /opt/encconf \
    && /opt/encconf/bin/pip install --no-cache-dir --disable-pip-version-check . \
    && /opt/encconf/bin/pip uninstall --yes pip

FROM python:3.13-slim
# git: encconf check and diff ask it which files there are.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* /usr/local/lib/python3.13/site-packages/pip* \
    && git config --system --add safe.directory /work
COPY --from=build /opt/encconf /opt/encconf
ENV PATH=/opt/encconf/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/nonexistent
WORKDIR /work
USER 65534:65534
ENTRYPOINT ["encconf"]
CMD ["help"]
