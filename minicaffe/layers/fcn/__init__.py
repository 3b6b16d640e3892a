"""The layers of FCN's Python modules, for nets that name them where the modules are not installed."""
