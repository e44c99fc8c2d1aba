# The image of the Action and of the command line. `docker build -t gitops-bot .`; docs/reference/image.md says the rest.
#
# PYTHON_IMAGE may name a digest too: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:…
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# -- what is brought and built; none of it but /opt/gitops-bot is in the image ----------------------------------------
FROM ${PYTHON_IMAGE} AS build
# For closed networks, as pip reads them from its environment. They stay in this stage. No credentials here: a build
# argument is written down in provenance. Where an index needs some, give the builder's own proxy or index cache.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore

# The environment has no pip in it: the base image's puts the packages there.
RUN python -m venv --without-pip /opt/gitops-bot && python -m venv /opt/build
COPY requirements/image.txt requirements/build.txt /src/requirements/
RUN python -m pip --python /opt/gitops-bot install --quiet --require-hashes --only-binary :all: \
      --requirement /src/requirements/image.txt \
 && python -m pip --python /opt/build install --quiet --require-hashes --only-binary :all: \
      --requirement /src/requirements/build.txt

# The client's asynchronous twin, which nothing here imports, is half of it: 69 MB.
RUN rm -rf /opt/gitops-bot/lib/python3*/site-packages/kubernetes/aio

# Schemas of the Kubernetes versions that are maintained; all of them are 65 MB in 17,000 files.
ARG SCHEMAS="1.34 1.35 1.36 1.37"
RUN cd /opt/gitops-bot/lib/python3*/site-packages/kubernetes_validate/kubernetes-json-schema \
 && mkdir ../kept && for version in $SCHEMAS; do mv "v$version.0-local-strict" ../kept/; done \
 && rm -rf ./* && mv ../kept/* . && rmdir ../kept

# The renderers next, from the few modules that bring them, so that another change of the code downloads nothing anew.
COPY gitops_bot/__init__.py gitops_bot/__main__.py gitops_bot/errors.py gitops_bot/log.py /src/gitops_bot/
COPY gitops_bot/cli/__init__.py gitops_bot/cli/lazy.py gitops_bot/cli/main.py gitops_bot/cli/tools.py /src/gitops_bot/cli/
COPY gitops_bot/model/__init__.py gitops_bot/model/typed.py /src/gitops_bot/model/
COPY gitops_bot/doors/__init__.py gitops_bot/doors/install.py gitops_bot/doors/process.py gitops_bot/doors/tools.py \
     /src/gitops_bot/doors/
RUN cd /src \
 && PYTHONPATH="$(echo /opt/gitops-bot/lib/python3*/site-packages)" GITOPS_BOT_TOOLS=/opt/gitops-bot/tools \
      python -m gitops_bot tools install

# Our package, from the same locked build tools as everywhere; then bytecode for everything, checked against nothing at
# run time: the image does not change, and a start that compiles costs a third of a second.
COPY pyproject.toml README.md LICENSE /src/
COPY gitops_bot /src/gitops_bot
RUN /opt/build/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /src/dist /src \
 && python -m pip --python /opt/gitops-bot install --quiet --no-deps --no-index /src/dist/*.whl \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/gitops-bot/lib \
 && find /opt/gitops-bot/bin -type f ! -name gitops-bot -delete

# -- the image --------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE}
# Of the base's own Python what is never needed goes (pip, its bundled copies), and the rest is compiled, which the
# base leaves out. Debian's python, where the base is made of it, is left to Debian.
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates git openssh-client \
 && echo "gitops-bot:x:65532:65532::/tmp:/usr/sbin/nologin" >> /etc/passwd \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/* /usr/share/doc/* /usr/share/man/* \
      /usr/share/locale/* /usr/share/gitweb /usr/share/bash-completion \
      /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/lib/python3.*/ensurepip \
      /usr/local/lib/python3.*/site-packages/* \
 && stdlib="$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x '/(test|tests|idlelib|lib2to3|turtledemo|tkinter|ensurepip|site-packages|dist-packages)/' "$stdlib"
COPY --from=build /opt/gitops-bot /opt/gitops-bot
# The agent's account is in /etc/passwd because ssh does not run for a user without a name.
# No USER and no WORKDIR: GitHub's runner brings its own, and its files belong to root or to the runner.
# Debian's bundle of certificates is everybody's, so a base image with your own CA is all that a closed network needs.
ENV PATH=/opt/gitops-bot/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    GITOPS_BOT_TOOLS=/opt/gitops-bot/tools \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A test compares the version with the package's.
LABEL org.opencontainers.image.title="gitops-bot" \
      org.opencontainers.image.description="The rendered change of a pull request, as one comment on it" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.source="https://github.com/gitops-bot/gitops-bot" \
      org.opencontainers.image.licenses="Apache-2.0"
ENTRYPOINT ["gitops-bot"]
CMD ["--help"]
