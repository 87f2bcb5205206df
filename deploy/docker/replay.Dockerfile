# A replay shard: no libtorch, a small image. In a file of its own because the classic builder builds every stage of a
# Dockerfile, and the other one downloads libtorch.
# By digest, so that every build starts from the same bytes; without a registry, base-images.sh makes others.
ARG RUST_IMAGE=rust:1.95-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082
ARG DEBIAN_IMAGE=debian:bookworm-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171

# Manifests with empty crates behind them: what the compilation of the dependencies hangs on, and nothing else.
FROM ${DEBIAN_IMAGE} AS manifests
WORKDIR /src
COPY . .
RUN sh deploy/docker/empty-crates.sh

FROM ${RUST_IMAGE} AS build
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev pkg-config libzmq3-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV CARGO_TARGET_DIR=/target
# Dependencies first: they are compiled again only when a manifest changes.
COPY --from=manifests /src .
RUN cargo build --release --locked -p longshore-replay
COPY common common
COPY configuration configuration
COPY telemetry telemetry
COPY durable durable
COPY transport transport
COPY replay replay
# The empty crates look newer than the sources that take their place.
RUN find common configuration telemetry durable transport replay -name '*.rs' -exec touch {} + \
    && cargo build --release --locked -p longshore-replay \
    && strip --strip-debug -o /longshore-replay /target/release/longshore-replay

FROM ${DEBIAN_IMAGE}
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libzmq5 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home longshore \
    && mkdir -p /keys /data && chown longshore /keys /data
COPY --from=build /longshore-replay /usr/local/bin/
COPY deploy/docker/healthy.sh /usr/local/bin/healthy
COPY configs /configs
USER longshore
ENTRYPOINT ["longshore-replay"]
CMD ["--help"]
