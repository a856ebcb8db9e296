"""The daemon: nested nurseries, what is built from a configuration, signals, reload, systemd."""
