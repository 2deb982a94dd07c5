//! What lies outside of this process.

use anyhow::{Context, bail, ensure};
use controller::{Allowed, Egress, HttpCaller, RealHttp};
use std::{
    fs::OpenOptions,
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

/// The network, for metric providers, as far as the policy allows it.
pub(crate) fn http(egress: Egress) -> anyhow::Result<Arc<dyn HttpCaller>> {
    Ok(Arc::new(RealHttp::new(egress).context("setting up HTTP")?))
}

/// The network and this machine, where an embedded cluster's services are.
pub(crate) fn http_with_loopback() -> anyhow::Result<Arc<dyn HttpCaller>> {
    let loopback = |base: IpAddr, bits| Allowed::Network { base, bits };
    let egress = Egress::default()
        .allowing(loopback(Ipv4Addr::LOCALHOST.into(), 8))
        .allowing(loopback(Ipv6Addr::LOCALHOST.into(), 128));
    http(egress)
}

/// Makes sure that a file can be written here, before anything is started for its sake.
pub(crate) fn check_place(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    ensure!(!path.is_dir(), "{shown} is a folder; name a file in it");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!(
            "{shown} cannot be written: there is no folder {}; create it first",
            folder.display()
        );
    }
    Ok(())
}

/// Writes a file whole or not at all, for its owner only: whoever sees it sees all of it, and a token
/// in it is nobody else's.
pub(crate) fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    check_place(path)?;
    write_private(path, text)
        .with_context(|| format!("{} cannot be written; choose another place", path.display()))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_added_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&draft, path)
}

/// Ctrl-C, or a polite request to end.
pub(crate) async fn asked_to_end() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listening for Ctrl-C"),
        _ = term.recv() => Ok(()),
    }
}
