//! The public key of the logs' owner.

use std::str::FromStr;

use audit_core::Log;
use audit_merkle::CheckpointVerifier;

/// The verifier key of the owner of all logs. The origin of a log is the name of the key, a slash,
/// and the log.
#[derive(Clone, Debug)]
pub(crate) struct VerifierKey(CheckpointVerifier);

impl VerifierKey {
    /// Returns the name of the key.
    pub(crate) fn name(&self) -> &str {
        self.0.origin()
    }

    /// Returns the log that has this origin.
    pub(crate) fn log_of(&self, origin: &str) -> Option<Log> {
        origin.strip_prefix(self.name())?.strip_prefix('/')?.parse().ok()
    }

    /// Returns the verifier of the checkpoints of `log`.
    pub(crate) fn of(&self, log: Log) -> CheckpointVerifier {
        self.0.clone().with_origin(format!("{}/{log}", self.name()))
    }
}

impl FromStr for VerifierKey {
    type Err = audit_core::Error;

    fn from_str(text: &str) -> audit_core::Result<Self> {
        text.trim().parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::OrganizationId;
    use audit_merkle::CheckpointSigner;

    #[test]
    fn the_origin_names_the_log() {
        let signer = CheckpointSigner::generate("audit.example.com").unwrap();
        let key: VerifierKey = signer.verifier().to_string().parse().unwrap();
        for log in [Log::Platform, OrganizationId::new().into()] {
            assert_eq!(key.log_of(key.of(log).origin()), Some(log));
        }
        for origin in ["audit.example.com", "audit.example.complatform", "other/platform"] {
            assert_eq!(key.log_of(origin), None);
        }
    }
}
