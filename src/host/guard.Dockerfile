# The guard: keeps sites from the host's own services, by rules of the host's firewall.
# Any image with a POSIX shell and nft can take its place (images: guard:).
FROM {base}

RUN set -eux; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nftables; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt

CMD ["sleep", "infinity"]
