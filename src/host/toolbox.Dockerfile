# The toolbox: reads and writes what ostler keeps on a host, asks sites and router over HTTP.
# Any image with a POSIX shell, coreutils, socat and curl can take its place (images: toolbox:).
FROM {base}

RUN set -eux; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates curl socat; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt

# It only waits for work: nothing is lost when it is killed.
STOPSIGNAL SIGKILL
CMD ["sleep", "infinity"]
