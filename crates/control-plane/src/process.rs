//! One control plane: started, waited for, and ended with its handle.
//!
//! Start at [`ControlPlane::start`]. The program reads its standard input only to notice that we are gone.

use crate::{
    audit::{self, AuditedRequest},
    binary::{Binary, last_lines},
    credentials::{Credentials, CredentialsFailed, kubeconfig},
    flags::{self, AUDIT_LOG, Controllers, KUBECONFIG, LOG},
};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::wait::await_condition,
};
use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// How the directories of control planes are called.
pub(crate) const PREFIX: &str = "ringfence-control-plane-";
/// How long a control plane may take to be ready.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// How often a server that is not ready yet is asked again.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// Why a control plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFailed {
    /// Its files could not be written, or the program could not be run.
    #[error("its files or its process could not be made")]
    Io(#[from] io::Error),
    /// Its certificates or tokens could not be made.
    #[error("its credentials could not be made")]
    Credentials(#[from] CredentialsFailed),
    /// It ended before it was ready.
    #[error("it ended before it was ready: {told}")]
    Ended {
        /// The last lines of what it said.
        told: String,
    },
    /// It was not ready in time.
    #[error("it was not ready within {} s: {told}", READY_WITHIN.as_secs())]
    TooSlow {
        /// The last lines of what it said.
        told: String,
    },
    /// No client could be made for it.
    #[error("no client could be made for it")]
    Client(#[from] kube::Error),
    /// Its kubeconfig could not be used.
    #[error("its kubeconfig could not be used")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
}

/// etcd, kube-apiserver and kube-controller-manager, which end when this is dropped.
pub struct ControlPlane {
    launched: Launched,
    client: Client,
    // Last, so that the directory goes after the process.
    home: TempDir,
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlPlane").field("url", &self.launched.url).finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Starts one on a free port and waits until it serves and its controllers work.
    ///
    /// # Errors
    ///
    /// When it cannot be started or is not ready within a minute, with its last words.
    pub async fn start(binary: &Binary) -> Result<Self, StartFailed> {
        Self::start_with(binary, Controllers::All).await
    }

    /// Starts one as [`ControlPlane::start`] does, with these controllers.
    ///
    /// # Errors
    ///
    /// When it cannot be started or is not ready within a minute, with its last words.
    pub async fn start_with(
        binary: &Binary,
        controllers: Controllers,
    ) -> Result<Self, StartFailed> {
        let home = new_home()?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let how = (any, Life::OfItsParent, controllers);
        let mut launched = Launched::new(binary, home.path(), how).await?;
        let client = launched.ready(home.path()).await?;
        Ok(Self { launched, client, home })
    }

    /// Where the administrator's kubeconfig is, for kubectl.
    pub fn kubeconfig(&self) -> PathBuf {
        self.home.path().join(KUBECONFIG)
    }

    /// A client of the administrator.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The API server's address, for clients of another kind: `https://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        &self.launched.url
    }

    /// The administrator's bearer token.
    pub fn token(&self) -> &str {
        &self.launched.credentials.admin
    }

    /// The certificate of the authority that signed the server's, in PEM.
    pub fn authority(&self) -> &str {
        &self.launched.credentials.authority
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.launched.child.id()
    }

    /// Every request that came in so far, in the order of coming.
    ///
    /// # Errors
    ///
    /// When the audit log cannot be read.
    pub fn requests(&self) -> io::Result<Vec<AuditedRequest>> {
        Ok(audit::requests(&fs::read_to_string(self.home.path().join(AUDIT_LOG))?))
    }

    /// How many requests each user agent has made so far.
    ///
    /// # Errors
    ///
    /// When the audit log cannot be read.
    pub fn requests_by_user_agent(&self) -> io::Result<BTreeMap<String, usize>> {
        let mut counts = BTreeMap::new();
        for request in self.requests()? {
            *counts.entry(request.user_agent).or_default() += 1;
        }
        Ok(counts)
    }
}

/// A fresh directory that only its owner can read: it holds tokens and keys.
pub(crate) fn new_home() -> io::Result<TempDir> {
    let only_us = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix(PREFIX).permissions(only_us).tempdir()
}

/// What ends the process, if nothing else does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// The end of whoever started it.
    OfItsParent,
    /// Nothing.
    OfItsOwn,
}

/// A process that runs, whether or not it is ready.
pub(crate) struct Launched {
    pub(crate) child: Child,
    pub(crate) url: String,
    credentials: Credentials,
    life: Life,
    controllers: Controllers,
}

impl Drop for Launched {
    fn drop(&mut self) {
        if self.life == Life::OfItsParent {
            self.end();
        }
    }
}

impl Launched {
    /// Runs the program and waits for its address.
    pub(crate) async fn new(
        binary: &Binary,
        home: &Path,
        (listen, life, controllers): (SocketAddr, Life, Controllers),
    ) -> Result<Self, StartFailed> {
        let credentials = Credentials::generate()?;
        flags::furnish(home, &credentials)?;
        let child = spawn(binary, home, (listen, life, controllers))?;
        let mut launched = Self { child, url: String::new(), credentials, life, controllers };
        if let Some(stdout) = launched.child.stdout.take() {
            launched.url = first_line(stdout).await?;
        }
        if launched.url.is_empty() {
            launched.end();
            return Err(StartFailed::Ended { told: last_words(home) });
        }
        let Credentials { authority, admin, .. } = &launched.credentials;
        fs::write(home.join(KUBECONFIG), kubeconfig(&launched.url, authority, admin))?;
        Ok(launched)
    }

    /// Waits until the server serves and the controller manager has made what every pod needs.
    pub(crate) async fn ready(&mut self, home: &Path) -> Result<Client, StartFailed> {
        let client = Client::try_from(config(home).await?)?;
        let ready = tokio::time::timeout(READY_WITHIN, self.serves(&client)).await;
        match ready {
            Ok(Some(())) => Ok(client),
            Ok(None) => Err(StartFailed::Ended { told: last_words(home) }),
            Err(_) => Err(StartFailed::TooSlow { told: last_words(home) }),
        }
    }

    /// Nothing if it ends instead.
    async fn serves(&mut self, client: &Client) -> Option<()> {
        while !is_ready(client).await {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return None;
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let made = |namespace: Option<&Namespace>| namespace.is_some();
        while await_condition(namespaces.clone(), "default", made).await.is_err() {
            tokio::time::sleep(ASKED_EVERY).await;
        }
        if self.controllers == Controllers::None {
            return Some(());
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
        let made = |account: Option<&ServiceAccount>| account.is_some();
        while await_condition(accounts.clone(), "default", made).await.is_err() {
            tokio::time::sleep(ASKED_EVERY).await;
        }
        Some(())
    }

    /// Ends the process and waits until it is gone.
    pub(crate) fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(
    binary: &Binary,
    home: &Path,
    (listen, life, controllers): (SocketAddr, Life, Controllers),
) -> io::Result<Child> {
    let (data, listen) = (format!("--data={}", home.display()), format!("--listen={listen}"));
    let mut own = vec![data.as_str(), listen.as_str()];
    let stdin = match life {
        Life::OfItsParent => Stdio::piped(),
        Life::OfItsOwn => Stdio::null(),
    };
    if life == Life::OfItsParent {
        own.push("--end-with-stdin");
    }
    let mut command = Command::new(binary.path());
    command
        .args(flags::arguments(&own, controllers))
        .current_dir(home)
        .stdin(stdin)
        .stdout(Stdio::piped());
    // Of a group of its own, so that a Ctrl-C at the terminal is ours to handle.
    command.stderr(File::create(home.join(LOG))?).process_group(0).spawn()
}

/// What the program prints; nothing if it ends before.
async fn first_line(stdout: ChildStdout) -> io::Result<String> {
    let read = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map(|_| line.trim().to_owned())
    });
    read.await.map_err(io::Error::other)?
}

async fn config(home: &Path) -> Result<Config, StartFailed> {
    let kubeconfig = Kubeconfig::read_from(home.join(KUBECONFIG))?;
    Ok(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
}

async fn is_ready(client: &Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else { return false };
    client.request_text(request).await.is_ok()
}

fn last_words(home: &Path) -> String {
    last_lines(&fs::read_to_string(home.join(LOG)).unwrap_or_default())
}
