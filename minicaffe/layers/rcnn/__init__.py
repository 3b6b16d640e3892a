"""The layers of py-faster-rcnn's Python modules, for nets that name them where the modules are not
installed."""
