# syntax=docker/dockerfile:1

# Builds one static program and puts it alone into an image: no shell, no package manager, not root.

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=""
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X kithline/app.version=$VERSION" -o /out/kithline .
RUN mkdir -p /out/data /out/key /out/tmp \
 && echo 'kithline:x:10001:10001::/data:/nonexistent' > /out/passwd

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/passwd /etc/passwd
COPY --from=build --chown=10001:10001 --chmod=0700 /out/data /data
COPY --from=build --chown=10001:10001 --chmod=0700 /out/key /key
COPY --from=build --chown=10001:10001 --chmod=0700 /out/tmp /tmp
COPY --from=build /out/kithline /kithline
COPY LICENSE /LICENSE

USER 10001:10001
WORKDIR /data
# The data and the key that opens it lie in two volumes, so that one can be copied without the other.
ENV KITHLINE_DATA_DIR=/data \
    KITHLINE_KEY_FILE=/key/kithline.key \
    KITHLINE_LISTEN=:8080
VOLUME ["/data", "/key"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --start-period=30s --retries=3 CMD ["/kithline", "healthcheck"]
ENTRYPOINT ["/kithline"]
CMD ["serve"]
