# SPDX-License-Identifier: MIT
# The firmware server on Debian 12. CI runs the commands of this file (tools/install-deps.sh and
# make with the same targets) on Debian 12, but builds no image.
#
#   docker build -t otad .        (or: make docker)
#   docker run -d --name otad -p 8070:8070 -v otad-data:/var/lib/otad otad
#   docker exec otad otad key create --name me --role admin
FROM debian:12-slim AS build
WORKDIR /src
COPY tools/install-deps.sh tools/packages tools/
RUN tools/install-deps.sh build web
COPY . .
ARG VERSION=container
RUN make -j"$(nproc)" WEB=yes VERSION="$VERSION" all && make install VERSION="$VERSION" DESTDIR=/stage PREFIX=/usr

FROM debian:12-slim
COPY tools/install-deps.sh tools/packages /tmp/tools/
# curl asks for the health; everything else is the group "run".
RUN /tmp/tools/install-deps.sh run health && rm -rf /tmp/tools /var/lib/apt/lists/* \
    && useradd --system --user-group --home-dir /var/lib/otad --shell /usr/sbin/nologin --uid 870 otad \
    && install -d -o otad -g otad -m 0700 /var/lib/otad
COPY --from=build /stage/usr/bin/otad /usr/bin/otad
USER otad
VOLUME /var/lib/otad
EXPOSE 8070
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s \
    CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8070/healthz"]
ENTRYPOINT ["/usr/bin/otad"]
CMD ["serve"]
