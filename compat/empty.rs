//! Nothing: these packages exist to be resolved.
