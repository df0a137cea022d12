//! Configuration: feature gates, ConfigMap layers, and the config hash over them.
