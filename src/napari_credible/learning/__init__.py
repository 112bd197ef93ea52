"""One step of learning, wherever it is taken: on folders of images, or on the image at hand."""
