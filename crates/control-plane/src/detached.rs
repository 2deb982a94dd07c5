//! Control planes that outlive the command that started them.
//!
//! Start at [`start_detached`]. Each has a directory of its own among the temporary ones, with its number, its
//! kubeconfig and its logs; [`bring_down`] ends it and removes the directory.

use crate::{
    binary::Binary,
    flags::{Controllers, KUBECONFIG},
    process::{Launched, Life, PREFIX, StartFailed, new_home},
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    env, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// The process's number, within its directory.
const PID: &str = "pid";
/// The server's address, within its directory.
const URL: &str = "url";
/// How long a process may take to end by itself.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const LOOKED_EVERY: Duration = Duration::from_millis(20);

/// A control plane that runs on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its name: the last part of its directory's.
    pub name: String,
    /// Its directory.
    pub home: PathBuf,
    /// Its process.
    pub pid: i32,
    /// Its API server's address.
    pub url: String,
}

impl Running {
    /// Where the administrator's kubeconfig is.
    pub fn kubeconfig(&self) -> PathBuf {
        self.home.join(KUBECONFIG)
    }

    fn read(home: PathBuf) -> Option<Self> {
        let name = home.file_name()?.to_str()?.strip_prefix(PREFIX)?.to_owned();
        let pid = fs::read_to_string(home.join(PID)).ok()?.trim().parse().ok()?;
        let url = fs::read_to_string(home.join(URL)).ok()?.trim().to_owned();
        Some(Self { name, home, pid, url })
    }

    /// Tells whether the process is there, and is still the one that was started.
    fn is_alive(&self) -> bool {
        let there = Pid::from_raw(self.pid).is_some_and(|pid| test_kill_process(pid).is_ok());
        // Numbers are used again; where the system tells, the command line must name our directory.
        let line = fs::read(format!("/proc/{}/cmdline", self.pid));
        let ours = |line: Vec<u8>| String::from_utf8_lossy(&line).contains(&self.name);
        there && line.map_or(!Path::new("/proc/self").exists(), ours)
    }

    /// Tells whether it is on its way out: its memory, and so its command line, goes before it does.
    fn is_leaving(&self) -> bool {
        let proc = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", self.pid));
        let has_ended = |stat: String| stat.contains(") Z ") || stat.contains(") X ");
        let is_stripped = proc("cmdline").is_ok_and(|line| line.is_empty());
        is_stripped && !proc("stat").map_or(true, has_ended)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// Starts a control plane that stays, and waits until it is ready.
///
/// # Errors
///
/// When it cannot be started or is not ready within a minute; then nothing stays.
pub async fn start_detached(binary: &Binary, listen: SocketAddr) -> Result<Running, StartFailed> {
    let home = new_home()?;
    let mut launched =
        Launched::new(binary, home.path(), (listen, Life::OfItsOwn, Controllers::All)).await?;
    if let Err(failed) = launched.ready(home.path()).await {
        launched.end();
        return Err(failed);
    }
    fs::write(home.path().join(PID), launched.child.id().to_string())?;
    fs::write(home.path().join(URL), &launched.url)?;
    Running::read(home.keep()).ok_or_else(|| io::Error::other("its directory is gone").into())
}

/// The control planes that were started to stay and are still there.
///
/// # Errors
///
/// When the directory for temporary files cannot be listed.
pub fn running() -> io::Result<Vec<Running>> {
    let entries = fs::read_dir(env::temp_dir())?.filter_map(Result::ok);
    let mut running: Vec<Running> =
        entries.filter_map(|entry| Running::read(entry.path())).collect();
    running.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(running)
}

/// Ends a control plane, waits until it is gone, and removes its directory.
///
/// # Errors
///
/// When its directory cannot be removed.
pub async fn bring_down(plane: &Running) -> io::Result<()> {
    plane.signal(Signal::TERM);
    if tokio::time::timeout(ENDS_WITHIN, gone(plane)).await.is_err() {
        plane.signal(Signal::KILL);
        // A killed process ends; should the system need long for that, its files go all the same.
        let _ = tokio::time::timeout(ENDS_WITHIN, gone(plane)).await;
    }
    fs::remove_dir_all(&plane.home)
}

async fn gone(plane: &Running) {
    while plane.is_alive() || plane.is_leaving() {
        tokio::time::sleep(LOOKED_EVERY).await;
    }
}
