"""The napari front: asks, starts, shows. The only room that imports napari and Qt."""
