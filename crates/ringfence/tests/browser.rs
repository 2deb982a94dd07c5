//! A person at the demo page: Chromium, driven through the W3C WebDriver protocol.

use serde_json::{Value, json};
use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

/// How long the browser waits for something to appear, in milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// A program that ends with the test.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The rest of the first line that has `mark` in it.
    fn after(&mut self, mark: &str) -> String {
        let line = self.lines.by_ref().map(Result::unwrap).find(|line| line.contains(mark));
        let line = line.unwrap_or_else(|| panic!("the program ended without saying `{mark}`"));
        line.split_once(mark).unwrap().1.trim().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One browser window.
struct Window {
    http: reqwest::Client,
    session: String,
}

impl Window {
    async fn open(driver: &str, profile: &str) -> Self {
        let http = reqwest::Client::new();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1200,1400",
            profile,
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } } });
        let window = Self { http, session: format!("http://127.0.0.1:{driver}") };
        let session = window.post("session", capabilities).await;
        let id = session["sessionId"].as_str().unwrap();
        let window = Self { session: format!("{}/session/{id}", window.session), ..window };
        window.post("timeouts", json!({ "script": PATIENCE_MS })).await;
        window
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let reply =
            self.http.post(format!("{}/{path}", self.session)).json(&body).send().await.unwrap();
        let is_ok = reply.status().is_success();
        let value = reply.json::<Value>().await.unwrap()["value"].take();
        assert!(is_ok, "{path}: {value}");
        value
    }

    async fn visit(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    async fn click(&self, selector: &str) {
        let found =
            self.post("element", json!({ "using": "css selector", "value": selector })).await;
        let element =
            found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.post(&format!("element/{element}/click"), json!({})).await;
    }

    /// Waits until the text of `selector` contains `text`, looking whenever the page changes.
    async fn until(&self, selector: &str, text: &str) {
        let script = "const [selector, text, done] = arguments;
            const look = () => {
                const found = document.querySelector(selector);
                if (found && found.textContent.includes(text)) { observer.disconnect(); done(true); }
            };
            const observer = new MutationObserver(look);
            observer.observe(document, { childList: true, subtree: true, characterData: true });
            look();";
        self.post("execute/async", json!({ "script": script, "args": [selector, text] })).await;
    }

    async fn evaluate(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] })).await
    }
}

fn on_path(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

fn demo(folder: &std::path::Path) -> Running {
    let kubeconfig = folder.join("kubeconfig");
    Running::start(
        Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args(["demo", "--kubeconfig"])
            .arg(kubeconfig),
    )
}

#[tokio::test]
async fn a_person_sees_an_erroring_release_taken_back_and_a_good_one_move_on() {
    if !on_path("chromedriver") {
        println!("NOT CHECKED: the page in a browser, because chromedriver is not installed");
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut demo = demo(&folder);
    let page = demo.after("dashboard");
    let mut driver = Running::start(Command::new("chromedriver").args(["--port=0"]));
    let port = driver.after("started successfully on port");
    let window =
        Window::open(port.trim_end_matches('.'), &format!("--user-data-dir={}", folder.display()))
            .await;

    window.visit(&page).await;
    window.until("#connection", "live").await;
    window.until("#sentence", "rollouts-demo:blue has all the traffic").await;

    window.click("[data-release=erroring]").await;
    window.until("#versions tbody", "canary · argoproj/rollouts-demo:bad-red").await;
    window.until("#decisions", "RolloutAborted").await;
    window.until("#decisions", "success-rate").await;
    window.until("#sentence", "Degraded").await;
    let enabled =
        window.evaluate("return !document.querySelector('[data-action=retry]').disabled").await;
    assert_eq!(enabled, true, "an aborted rollout can be retried");

    window.click("[data-release=good]").await;
    window.until("#versions tbody", "canary · argoproj/rollouts-demo:green").await;
    window.until("#steps [data-state=done]", "20 %").await;
    window.click("[data-action=promote-full]").await;
    window.until("#sentence", "rollouts-demo:green has all the traffic").await;
    let problem = window.evaluate("return document.querySelector('#answer').textContent").await;
    assert_eq!(problem, "", "no button was refused");
    std::fs::remove_dir_all(&folder).ok();
}
