//! Who may talk to a control plane: its certificates, its keys and its tokens.
//!
//! Start at [`Credentials::generate`]. All of it lives as long as one control plane.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use std::{fs::File, io, io::Read};

/// Names under which the API server is reached.
const NAMES: [&str; 5] =
    ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
/// Length of a token in bytes.
const TOKEN: usize = 24;

/// Why no credentials could be made.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsFailed {
    /// Making keys or certificates failed.
    #[error("certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// There is no source of randomness.
    #[error("no token could be drawn")]
    Token(#[from] io::Error),
}

/// Certificates in PEM, keys in PEM, and tokens.
pub(crate) struct Credentials {
    /// The authority that clients trust.
    pub(crate) authority: String,
    /// The API server's certificate.
    pub(crate) certificate: String,
    /// The key of that certificate.
    pub(crate) key: String,
    /// What signs the tokens of service accounts.
    pub(crate) signing_key: String,
    /// What those tokens are checked with.
    pub(crate) checking_key: String,
    /// The token of somebody who may do everything.
    pub(crate) admin: String,
    /// The token of the controller manager.
    pub(crate) manager: String,
}

impl Credentials {
    /// Fresh ones.
    pub(crate) fn generate() -> Result<Self, CredentialsFailed> {
        let issuer = CertifiedIssuer::self_signed(authority(), KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = server()?.signed_by(&key, &issuer)?;
        let signing = KeyPair::generate()?;
        Ok(Self {
            authority: issuer.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            signing_key: signing.serialize_pem(),
            checking_key: signing.public_key_pem(),
            admin: token()?,
            manager: token()?,
        })
    }

    /// The table of tokens as the API server reads it: token, name, uid, groups.
    pub(crate) fn tokens(&self) -> String {
        format!(
            "{},admin,admin,system:masters\n{},system:kube-controller-manager,manager,\n",
            self.admin, self.manager
        )
    }
}

/// How a client with a token reaches `server`, as kubectl reads it.
pub(crate) fn kubeconfig(server: &str, authority: &str, token: &str) -> String {
    let authority = BASE64_STANDARD.encode(authority);
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: control-plane\n\
         clusters:\n- name: control-plane\n  cluster:\n    server: {server}\n    certificate-authority-data: {authority}\n\
         users:\n- name: control-plane\n  user:\n    token: {token}\n\
         contexts:\n- name: control-plane\n  context:\n    cluster: control-plane\n    user: control-plane\n"
    )
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, "control-plane-ca");
    params
}

fn server() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn token() -> io::Result<String> {
    let mut bytes = [0; TOKEN];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
