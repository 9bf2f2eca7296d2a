//! The key by which others know what the logs' owner has signed.

use std::str::FromStr;

use audit_core::Log;
use audit_merkle::CheckpointVerifier;

/// A verifier key: of the owner of the logs, not of one log. The origin of a log is the key's name,
/// a slash, and the log.
#[derive(Clone, Debug)]
pub(crate) struct VerifierKey(CheckpointVerifier);

impl VerifierKey {
    /// The name of whoever signs.
    pub(crate) fn name(&self) -> &str {
        self.0.origin()
    }

    /// The log that has this origin.
    pub(crate) fn log_of(&self, origin: &str) -> Option<Log> {
        origin.strip_prefix(self.name())?.strip_prefix('/')?.parse().ok()
    }

    /// What verifies the checkpoints of `log`.
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
    fn the_origin_tells_the_log() {
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
