//! The TLS of deliveries: certificates are checked against the system's authorities, or those of a file.

use std::path::Path;
use std::sync::Arc;

use audit_core::{Error, Result};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Returns what makes connections with TLS.
///
/// # Errors
/// [`Invalid`](audit_core::ErrorKind::Invalid), field `ca`, if the file cannot be read or has no
/// certificate.
pub(crate) fn connector(ca: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in CertificateDer::pem_file_iter(path).map_err(invalid)? {
                roots.add(certificate.map_err(invalid)?).map_err(invalid)?;
            }
            if roots.is_empty() {
                return Err(Error::malformed("ca", EXPECTED));
            }
        }
        None => {
            // Some of a system's certificates may be unreadable.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(invalid)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

const EXPECTED: &str = "a file of PEM certificates";

fn invalid(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::malformed("ca", EXPECTED).with_source(source)
}
