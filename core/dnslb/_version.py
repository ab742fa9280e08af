"""The one place that holds the version; the plugins' distributions read it too."""

__version__ = "0.1.0"
