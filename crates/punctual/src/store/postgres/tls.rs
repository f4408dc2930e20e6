//! TLS to the server, by the words that libpq has for it.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;

use crate::error::Error;

/// How far a server is trusted, and for which certificates.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trust {
    mode: Mode,
    /// A file of certificates to trust; unset, those that the web trusts.
    roots: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// In the clear.
    Disable,
    /// Encrypted if the server can, for whoever it is.
    Prefer,
    /// Encrypted, for whoever it is.
    Require,
    /// Encrypted, for whoever has a certificate that is trusted.
    VerifyCa,
    /// Encrypted, and the certificate names the host.
    VerifyFull,
}

impl Trust {
    /// Reads `sslmode` and `sslrootcert`.
    pub(super) fn read(mode: Option<&str>, roots: Option<&str>) -> Result<Trust, Error> {
        let mode = match (mode, roots) {
            (None | Some("prefer"), _) => Mode::Prefer,
            (Some("disable"), _) => Mode::Disable,
            (Some("require"), None) => Mode::Require,
            // As libpq has it: whoever names certificates wants them looked at.
            (Some("require"), Some(_)) | (Some("verify-ca"), _) => Mode::VerifyCa,
            (Some("verify-full"), _) => Mode::VerifyFull,
            (Some(other), _) => {
                return Err(Error::invalid(format!(
                    "sslmode is disable, prefer, require, verify-ca or verify-full, and not {other:?}"
                )));
            }
        };
        let roots = roots.filter(|roots| *roots != "system").map(str::to_owned);
        Ok(Trust { mode, roots })
    }

    pub(super) fn mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }
}

/// What makes connections of this trust.
pub(super) fn client(trust: &Trust) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("TLS cannot be set up").caused_by(error))?;
    let any_name = |certificates| AnyName {
        provider: Arc::clone(&provider),
        certificates,
    };
    let verifier: Arc<dyn ServerCertVerifier> = match trust.mode {
        Mode::Disable | Mode::Prefer | Mode::Require => Arc::new(any_name(None)),
        Mode::VerifyCa => Arc::new(any_name(Some(verifier(trust, Arc::clone(&provider))?))),
        Mode::VerifyFull => verifier(trust, Arc::clone(&provider))?,
    };
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn verifier(trust: &Trust, provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    match &trust.roots {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let refuse = |why: String| Error::invalid(format!("sslrootcert names {path:?}, which {why}"));
            let file = File::open(path).map_err(|error| refuse(format!("cannot be opened: {error}")))?;
            for certificate in CertificateDer::pem_reader_iter(BufReader::new(file)) {
                let certificate = certificate.map_err(|_| refuse("is no PEM file".to_owned()))?;
                roots
                    .add(certificate)
                    .map_err(|error| refuse(format!("holds a certificate that cannot be read: {error}")))?;
            }
            if roots.is_empty() {
                return Err(refuse("holds no certificate".to_owned()));
            }
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| Error::internal("TLS cannot be set up").caused_by(error))
}

/// A trust that does not ask for the host's name. Signatures are looked at in any case.
#[derive(Debug)]
struct AnyName {
    provider: Arc<CryptoProvider>,
    /// What looks at certificates; nothing under `require`, which keeps listeners out, not impostors.
    certificates: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(verifier) = &self.certificates else {
            return Ok(ServerCertVerified::assertion());
        };
        match verifier.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is looked at last, when all else was found right.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
