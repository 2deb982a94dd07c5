//! A person at the demo page: Chromium, driven through the W3C `WebDriver` protocol.

use crate::support::{Folder, PROGRAM, Running, Speaks, is_installed};
use serde_json::{Value, json};
use std::process::Command;

/// How long the browser waits for something to appear, in milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// One browser window.
struct Window {
    http: reqwest::Client,
    session: String,
}

impl Window {
    async fn open(driver: &str, profile: &str) -> Self {
        // The driver hangs up on idle connections, and a request that meets this is lost.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
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

fn demo(folder: &std::path::Path) -> Running {
    let kubeconfig = folder.join("kubeconfig");
    Running::start(
        Command::new(PROGRAM).args(["demo", "--kubeconfig"]).arg(kubeconfig),
        Speaks::Output,
    )
}

#[tokio::test]
async fn a_person_sees_an_erroring_release_taken_back_and_a_good_one_move_on() {
    if !is_installed("chromedriver", "the page in a browser") {
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = Folder::new("browser");
    let mut demo = demo(folder.path());
    let page = demo.after("dashboard");
    let mut driver =
        Running::start(Command::new("chromedriver").args(["--port=0"]), Speaks::Output);
    let port = driver.after("started successfully on port");
    let window = Window::open(
        port.trim_end_matches('.'),
        &format!("--user-data-dir={}", folder.path().display()),
    )
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
}
