# Sightline in a container. The build stage runs the same set-up as `npm start`, so that there is one list of steps; the image that runs has no compiler.
#
#   docker build -t sightline .                                  CPU
#   docker build -t sightline:gpu --build-arg VARIANT=gpu --build-arg RUN_BASE=IMAGE .
#                                                                GPU: IMAGE is a Debian 12 with Node 20, CUDA 12 and cuDNN 9; see docs/CONTAINER.md
ARG BASE=node:20-bookworm-slim
ARG RUN_BASE=${BASE}

FROM ${BASE} AS build
ARG VARIANT=cpu
WORKDIR /opt/sightline
COPY . .
RUN case "$VARIANT" in cpu) node setup/main.mjs start ;; gpu) node setup/main.mjs gpu ;; *) echo "VARIANT: expected cpu or gpu, received $VARIANT" >&2; exit 2 ;; esac \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf /var/lib/apt/lists/* native src/web

FROM ${RUN_BASE} AS run
# The libraries of what set-up built against their -dev packages; test/process/container.test.ts compares.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      libavcodec59 libavdevice59 libavfilter8 libavformat59 libavutil57 libpostproc56 libswresample4 libswscale6 \
      libglib2.0-0 libgstreamer1.0-0 libgstreamer-plugins-base1.0-0 libgstrtspserver-1.0-0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
      libopencv-calib3d406 libopencv-contrib406 libopencv-core406 libopencv-dnn406 libopencv-features2d406 libopencv-highgui406 libopencv-imgcodecs406 \
      libopencv-imgproc406 libopencv-ml406 libopencv-objdetect406 libopencv-photo406 libopencv-video406 libopencv-videoio406 opencv-data \
      libgcc-s1 libstdc++6 ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o node -g node -m 0700 /var/lib/sightline
COPY --from=build /opt/sightline /opt/sightline
WORKDIR /opt/sightline
ENV NODE_ENV=production HOST=0.0.0.0 PORT=5000 STATE_DIR=/var/lib/sightline
VOLUME /var/lib/sightline
EXPOSE 5000
# Webcams belong to the group video: run with --group-add video --device /dev/video0.
USER node
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=180s --retries=3 CMD ["node", "bin/sightline", "health-check", "--live"]
ENTRYPOINT ["node", "bin/sightline"]
CMD ["run"]
