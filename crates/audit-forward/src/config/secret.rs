//! Secrets of sinks.

use std::path::PathBuf;
use std::{env, fmt, fs};

use audit_core::{Error, ErrorKind, Result};
use serde::Deserialize;

/// A text that others may not see: in the configuration, in an environment variable, or in a file.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Secret {
    Text(String),
    Env { env: String },
    File { file: PathBuf },
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text"),
            Self::Env { env } => f.debug_struct("Env").field("env", env).finish(),
            Self::File { file } => f.debug_struct("File").field("file", file).finish(),
        }
    }
}

impl Secret {
    /// Returns the text. Errors name `field`.
    pub(super) fn read(&self, field: &str) -> Result<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Env { env } => env::var(env).map_err(|error| {
                let field = field.to_owned();
                Error::malformed(field, "the name of an environment variable").with_source(error)
            }),
            Self::File { file } => {
                let text = fs::read_to_string(file).map_err(|error| {
                    let error = Error::new(ErrorKind::Unavailable).with_source(error);
                    error.with_context("reading a secret").with_field(field.to_owned())
                })?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}
