#!/bin/sh
# Run a command with a display: the one that is there, a virtual one, or Qt's offscreen platform.
if [ -n "$DISPLAY$WAYLAND_DISPLAY" ]; then
    exec "$@"
elif command -v xvfb-run >/dev/null 2>&1; then
    exec xvfb-run -a -s "-screen 0 1600x1000x24" "$@"
else
    QT_QPA_PLATFORM=offscreen exec "$@"
fi
