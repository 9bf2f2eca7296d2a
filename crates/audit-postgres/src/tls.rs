//! TLS: what a connection asks of the server's certificate. The words are those of libpq.

use std::path::PathBuf;
use std::sync::Arc;

use audit_core::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What a URL says of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) mode: Mode,
    /// The file with the certificates of the authorities that are trusted; those of the system if none
    /// is given.
    pub(crate) roots: Option<PathBuf>,
}

/// A value of `sslmode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    Disable,
    /// Encrypts if the server can.
    #[default]
    Prefer,
    /// Encrypts. Does not check who the server is.
    Require,
    /// Checks that an authority vouches for the server's certificate.
    VerifyCa,
    /// Checks as well that the certificate is that of the host.
    VerifyFull,
}

impl Mode {
    const ALL: [Self; 5] =
        [Self::Disable, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == text)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// Returns the mode of the driver.
    pub(crate) fn of_driver(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

impl Tls {
    /// Returns what opens connections.
    ///
    /// # Errors
    /// [`Invalid`](audit_core::ErrorKind::Invalid), field `sslrootcert`, if the file cannot be read or
    /// has no certificate.
    pub(crate) fn connector(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(ring::default_provider());
        let lenient = |authorities| -> Arc<dyn ServerCertVerifier> {
            let algorithms = provider.signature_verification_algorithms;
            Arc::new(Lenient { authorities, algorithms })
        };
        let verifier = match (self.mode, &self.roots) {
            (Mode::Disable | Mode::Prefer, _) | (Mode::Require, None) => lenient(None),
            // As with libpq, a file of authorities makes the weaker mode the stronger one.
            (Mode::Require | Mode::VerifyCa, _) => lenient(Some(self.verifier(&provider)?)),
            (Mode::VerifyFull, _) => self.verifier(&provider)?,
        };
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().map_err(invalid)?;
        let config =
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
        let mut roots = RootCertStore::empty();
        match &self.roots {
            Some(path) => {
                for certificate in CertificateDer::pem_file_iter(path).map_err(invalid)? {
                    roots.add(certificate.map_err(invalid)?).map_err(invalid)?;
                }
            }
            None => {
                // Some of a system's certificates may be unreadable; without any, the next step fails.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = Arc::clone(provider);
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(invalid)
    }
}

fn invalid(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::malformed("sslrootcert", "a file of PEM certificates").with_source(source)
}

/// Checks less than a web browser does of a certificate, if the server has its key.
#[derive(Debug)]
struct Lenient {
    /// The authorities of which one must vouch for the certificate, whatever host it is of; none if any
    /// certificate is accepted.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(authorities) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        // The name is the last thing that is checked.
        match authorities.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
