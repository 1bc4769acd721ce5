# Baton's images. From the repository's root:
#   docker build -t baton .                                   compiles it, and adds it to Debian
#   docker build -t baton:distroless --target distroless .    only what Baton needs: no shell, no package manager
# To use build/release/baton and baton-demo (or what BATON names, and that name with -demo), built on this Debian or a
# compatible one, add
#   --build-arg BINARY=provided
# It needs BuildKit, which builds only the stages that are used: DOCKER_BUILDKIT=1 before Docker 23.
ARG DEBIAN=debian:bookworm-slim
ARG BINARY=compiled

FROM ${DEBIAN} AS compiled
RUN apt-get update && apt-get install -y --no-install-recommends \
      g++ cmake ninja-build git pkg-config ca-certificates libboost1.81-dev libyaml-cpp-dev libprotobuf-dev \
      protobuf-compiler libcli11-dev libfmt-dev libre2-dev libssl-dev libc-ares-dev libcrypt-dev libnghttp2-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
WORKDIR /src
RUN cmake --preset release -DBATON_TESTS=OFF -DBATON_WERROR=OFF \
    && cmake --build --preset release --target baton \
    && install --strip build/release/baton build/release/baton-demo /

FROM scratch AS provided
ARG BATON=build/release/baton
COPY ${BATON} /baton
COPY ${BATON}-demo /baton-demo

FROM ${BINARY} AS binary

FROM ${DEBIAN} AS system
RUN apt-get update && apt-get install -y --no-install-recommends \
      ca-certificates libc-ares2 libcrypt1 libfmt9 libnghttp2-14 libprotobuf-lite32 libre2-9 libssl3 libstdc++6 \
      libyaml-cpp0.7 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 baton \
    && useradd --system --uid 10001 --gid baton --no-create-home --home-dir /run/baton --shell /usr/sbin/nologin baton \
    && install -d -o baton -g baton -m 700 /run/baton
COPY --chmod=644 docker/baton.yaml /etc/baton/baton.yaml

FROM system AS essentials
COPY --from=binary --chmod=755 /baton /usr/bin/baton
COPY docker/essentials.sh /
RUN sh /essentials.sh /essentials

# What both images say about themselves, and how they run.
FROM scratch AS settings
# Of the sources: the version in CMakeLists.txt, the commit, where they are, and their licence as an SPDX expression.
ARG VERSION=0.2.0
ARG REVISION=
ARG SOURCE=
ARG LICENSES=NOASSERTION
LABEL org.opencontainers.image.title="Baton" \
      org.opencontainers.image.description="A reverse proxy whose upgrades keep every live connection" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE:+${SOURCE}/blob/v${VERSION}/docs/containers.md}" \
      org.opencontainers.image.licenses="${LICENSES}"
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# As an ordinary user Baton keeps its files in $XDG_RUNTIME_DIR/baton. Two containers that share this volume can
# succeed each other.
ENV XDG_RUNTIME_DIR=/run
VOLUME /run/baton
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
EXPOSE 8080
# Graceful, at most timeouts.shutdown. Docker kills after 10 s unless --stop-timeout says more.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["baton", "ctl", "healthcheck"]
ENTRYPOINT ["baton"]
CMD ["run", "-c", "/etc/baton/baton.yaml"]

FROM settings AS distroless
COPY --from=essentials /essentials /

FROM settings
COPY --from=system / /
COPY --from=binary --chmod=755 /baton /usr/bin/baton
COPY --from=binary --chmod=755 /baton-demo /usr/libexec/baton/baton-demo
