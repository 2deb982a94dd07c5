//! A served server and the `kubectl` that talks to it.

use apiserver::{ServeHandle, Server, ServerConfig, Tls};
use clock::Clock;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A Deployment and its Service, with `IMAGE` to be replaced.
pub(crate) const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: app
        image: IMAGE
        env: [{name: A, value: "1"}]
        ports: [{containerPort: 80}]
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports: [{port: 80}]
"#;

/// A cluster of one test.
pub(crate) struct Cluster {
    pub(crate) server: Arc<Server>,
    _runtime: Runtime,
    directory: PathBuf,
    _handle: ServeHandle,
}

/// What one call of `kubectl` printed.
pub(crate) struct Printed {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Starts a cluster; `None` when the machine has no `kubectl`.
pub(crate) fn start() -> Option<Cluster> {
    let found = Command::new("kubectl").args(["version", "--client"]).output();
    if found.is_err() {
        println!("SKIPPED: there is no kubectl on this machine");
        return None;
    }
    let runtime = Runtime::new().unwrap();
    let (server, handle, config) = runtime.block_on(async {
        let mut config = ServerConfig::new(Clock::system(), 7);
        config.token = Some("secret".to_owned());
        let server = Server::new(config).unwrap();
        let tls = Tls::self_signed(&[]).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let handle = server.serve(listener, Some(&tls)).unwrap();
        let config = server.kubeconfig(handle.addr(), Some(&tls));
        (server, handle, config)
    });
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("apiserver-kubectl-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("config"), config).unwrap();
    Some(Cluster { server, _runtime: runtime, directory, _handle: handle })
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Cluster {
    /// Runs `kubectl` with arguments separated by spaces; `'…'` keeps spaces together.
    pub(crate) fn run(&self, arguments: &str) -> Printed {
        self.fed(arguments, "")
    }

    /// Runs `kubectl` with a standard input.
    pub(crate) fn fed(&self, arguments: &str, input: &str) -> Printed {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        printed(&child.wait_with_output().unwrap())
    }

    /// Runs `kubectl` with an editor.
    pub(crate) fn with_editor(&self, editor: &str, arguments: &str) -> Printed {
        printed(&self.command(arguments).env("KUBE_EDITOR", editor).output().unwrap())
    }

    /// Starts a `kubectl` that goes on until it is killed.
    pub(crate) fn spawn(&self, arguments: &str) -> Child {
        self.command(arguments).stdin(Stdio::null()).spawn().unwrap()
    }

    /// Runs `kubectl`, which must succeed; returns what it printed.
    #[track_caller]
    pub(crate) fn good(&self, arguments: &str) -> String {
        self.good_fed(arguments, "")
    }

    /// Runs `kubectl` with a standard input; it must succeed.
    #[track_caller]
    pub(crate) fn good_fed(&self, arguments: &str, input: &str) -> String {
        let printed = self.fed(arguments, input);
        assert_eq!(printed.code, 0, "kubectl {arguments}\n{}{}", printed.out, printed.err);
        printed.out
    }

    /// Runs `kubectl`, which must print exactly these lines; runs of spaces count as one.
    #[track_caller]
    pub(crate) fn check(&self, arguments: &str, expected: &[&str]) {
        let out = self.good(arguments);
        let lines: Vec<String> =
            out.lines().map(squeezed).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, expected, "kubectl {arguments}");
    }

    /// Runs `kubectl`, whose output must hold each of these texts; runs of spaces count as one.
    #[track_caller]
    pub(crate) fn check_has(&self, arguments: &str, expected: &[&str]) {
        let printed = self.run(arguments);
        let all = squeezed(&(printed.out + &printed.err));
        for text in expected {
            assert!(all.contains(text), "kubectl {arguments}: {text:?} is not in\n{all}");
        }
    }

    /// Applies [`WEB`] with an image.
    #[track_caller]
    pub(crate) fn apply_web(&self, image: &str) -> String {
        self.good_fed("apply -f -", &WEB.replace("IMAGE", image))
    }

    /// Where the test may keep files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new("kubectl");
        command
            .env("KUBECONFIG", self.directory.join("config"))
            .arg("--cache-dir")
            .arg(self.directory.join("cache"))
            .args(words(arguments))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

fn printed(output: &Output) -> Printed {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    Printed { out: text(&output.stdout), err: text(&output.stderr), code }
}

/// Runs of white space become one space.
pub(crate) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> Vec<String> {
    let quoted = text.split('\'').enumerate();
    quoted
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}
