//! What the program is given: files in its home, and flags that name them.
//!
//! Start at [`furnish`], then [`arguments`]. Everything that a cluster of kubeadm's has on stays on: RBAC,
//! admission, API priority and fairness.

use crate::credentials::{Credentials, kubeconfig};
use std::{fs, io, path::Path};

/// Where the API server notes each request, within the home.
pub(crate) const AUDIT_LOG: &str = "audit.log";
/// Where the program says what goes wrong, within the home.
pub(crate) const LOG: &str = "log";
/// The administrator's kubeconfig, within the home.
pub(crate) const KUBECONFIG: &str = "kubeconfig";

/// Each request is noted when it comes and when it is answered, without bodies.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\n\
    omitStages: [ResponseStarted]\nrules: [{level: Metadata}]\n";
/// The controller manager is told the server's address on its command line.
const NO_ADDRESS_YET: &str = "https://127.0.0.1";

/// For kube-apiserver; paths are within the home.
const SERVER: [&str; 17] = [
    "--tls-cert-file=server.crt",
    "--tls-private-key-file=server.key",
    "--client-ca-file=ca.crt",
    "--token-auth-file=tokens.csv",
    "--authorization-mode=Node,RBAC",
    "--allow-privileged=true",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    "--service-account-signing-key-file=sa.key",
    "--service-account-key-file=sa.pub",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--bind-address=127.0.0.1",
    // Loopback may not stand in an EndpointSlice, so the server does not list itself.
    "--advertise-address=10.96.255.254",
    "--endpoint-reconciler-type=none",
    "--audit-policy-file=audit.yaml",
    "--audit-log-path=audit.log",
    "--audit-log-maxsize=4000",
    "--profiling=false",
];
/// For kube-controller-manager.
const MANAGER: [&str; 9] = [
    "--kubeconfig=manager.kubeconfig",
    "--use-service-account-credentials=true",
    "--service-account-private-key-file=sa.key",
    "--root-ca-file=ca.crt",
    "--leader-elect=false",
    // At its usual rate it takes four seconds to fetch the tokens of its forty controllers.
    "--kube-api-qps=1000",
    "--kube-api-burst=2000",
    "--secure-port=0",
    "--profiling=false",
];

/// Puts the files into the home that the flags name.
pub(crate) fn furnish(home: &Path, credentials: &Credentials) -> io::Result<()> {
    let manager = kubeconfig(NO_ADDRESS_YET, &credentials.authority, &credentials.manager);
    let tokens = credentials.tokens();
    let files = [
        ("ca.crt", &credentials.authority),
        ("server.crt", &credentials.certificate),
        ("server.key", &credentials.key),
        ("sa.key", &credentials.signing_key),
        ("sa.pub", &credentials.checking_key),
        ("tokens.csv", &tokens),
        ("manager.kubeconfig", &manager),
    ];
    files.iter().try_for_each(|(name, text)| fs::write(home.join(name), text))?;
    fs::write(home.join("audit.yaml"), AUDIT_POLICY)
}

/// Which of Kubernetes' controllers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// Those of every cluster.
    All,
    /// None that touches an object a test makes, so that the API server's answers are its own.
    None,
}

/// The manager cannot run without any; this one only looks after a signature that is not there.
const HARMLESS: &str = "--controllers=bootstrap-signer-controller";

/// The program's command line, to be run within its home.
pub(crate) fn arguments<'a>(own: &[&'a str], controllers: Controllers) -> Vec<&'a str> {
    let less: &[&str] = if controllers == Controllers::None { &[HARMLESS] } else { &[] };
    [own, &["--"], &SERVER, &["--"], &MANAGER, less].concat()
}
