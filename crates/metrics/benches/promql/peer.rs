//! A Prometheus with the recorded samples.

use crate::connection::Connection;
use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long it may take to begin.
const PATIENCE: Duration = Duration::from_mins(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A Prometheus that runs until this is dropped.
pub(crate) struct Peer {
    process: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Peer {
    /// Writes the samples into blocks and starts a server over them.
    pub(crate) fn start(program: &Path) -> Self {
        let folder = env::temp_dir().join(format!("promql-bench-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let data = folder.join("data");
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/samples.om");
        let made = Command::new(program.with_file_name("promtool"))
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&samples, &data])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "promtool could not write the samples");
        let settings = folder.join("empty.yml");
        fs::write(&settings, "").unwrap();
        let address = free_address();
        let process = Command::new(program)
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let peer = Self { process, address, folder };
        peer.expect_ready();
        peer
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn expect_ready(&self) {
        let began = Instant::now();
        while !self.is_ready() {
            assert!(began.elapsed() < PATIENCE, "the peer did not begin");
            sleep(BETWEEN_LOOKS);
        }
    }

    fn is_ready(&self) -> bool {
        let has_samples = "/api/v1/query?query=http_requests_total&time=1700000900";
        TcpStream::connect(self.address).is_ok()
            && Connection::to(self.address).get(has_samples).is_ok_and(|answer| {
                answer.status == 200 && String::from_utf8_lossy(&answer.body).contains("\"value\"")
            })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// An address that nobody listens on.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
