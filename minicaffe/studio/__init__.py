"""The studio: nets designed, trained and looked into in a browser, on this machine alone."""
