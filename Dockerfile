# syntax=docker/dockerfile:1
# The program alone, static: no shell, no libc, nobody but user 65532.
#
#   docker buildx build --platform linux/amd64,linux/arm64 -t ghcr.io/kagenti/kubectl-skills:v0.1.0 .
#
# Each architecture is built on the builder's own, across; hack/image.sh makes the same image without a container engine.
FROM --platform=$BUILDPLATFORM rust:1.95.0-bookworm AS build
ARG TARGETARCH
WORKDIR /src
# clang and lld build C and link for either architecture; ring is the only C there is.
RUN apt-get update && apt-get install -y --no-install-recommends clang lld musl-dev && rm -rf /var/lib/apt/lists/*
RUN case "$TARGETARCH" in \
      amd64) target=x86_64-unknown-linux-musl ;; \
      arm64) target=aarch64-unknown-linux-musl ;; \
      *) echo "no target for $TARGETARCH" >&2; exit 1 ;; \
    esac && rustup target add "$target" && echo "$target" >/target
# What `version` says of the build: --build-arg for each, as hack/stamp.sh prints them.
ARG KUBECTL_SKILLS_COMMIT SOURCE_DATE_EPOCH
COPY Cargo.toml Cargo.lock ./
COPY src ./src
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target,id=target-$TARGETARCH \
    target=$(cat /target) && name=$(echo "$target" | tr a-z- A-Z_) && \
    export "CC_$(echo "$target" | tr - _)=clang" "AR_$(echo "$target" | tr - _)=llvm-ar" \
      "CARGO_TARGET_${name}_LINKER=rust-lld" RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=/usr/local/cargo=cargo --remap-path-prefix=/src=." \
      CFLAGS="-ffile-prefix-map=/usr/local/cargo=cargo" && \
    export KUBECTL_SKILLS_RUSTC="$(rustc --version | cut -d" " -f2)" && \
    cargo build --release --locked --bin kubectl-skills --features controller --target "$target" && \
    install -D -m 0755 "target/$target/release/kubectl-skills" /out/kubectl-skills

FROM scratch
COPY --from=build /out/kubectl-skills /kubectl-skills
COPY LICENSE /LICENSE
LABEL org.opencontainers.image.source=https://github.com/kagenti/kubectl-skills \
      org.opencontainers.image.licenses=Apache-2.0
USER 65532:65532
ENTRYPOINT ["/kubectl-skills"]
