//! The commands of the client that read files and ask no cluster.

use crate::support::{CANARY, Folder, PROGRAM, Said, ask};
use std::{os::unix::process::CommandExt, process::Command};

/// What upstream calls the program.
const PLUGIN: &str = "kubectl-argo-rollouts";

/// The program under `name`, with arguments parted by spaces; in a folder of its own, so that files can be
/// named as upstream's messages name them.
fn called(name: &str, folder: &Folder, arguments: &str) -> Said {
    let mut command = Command::new(PROGRAM);
    command.arg0(name).current_dir(folder.path()).env("KUBECONFIG", "nowhere");
    ask(command.args(arguments.split(' ')), "")
}

/// What a command says and how it ends: exit code of ours, standard output, standard error. Upstream's
/// name has one code for everything that fails.
#[track_caller]
fn check(folder: &Folder, arguments: &str, (code, output, errors): (i32, &str, &str)) {
    let said = called("ringfence", folder, arguments);
    assert_eq!((said.output.as_str(), said.errors.as_str()), (output, errors), "{arguments}");
    assert_eq!(said.code, Some(code), "{arguments}");
    let said = called(PLUGIN, folder, arguments);
    assert_eq!((said.output.as_str(), said.errors.as_str()), (output, errors), "{arguments}");
    assert_eq!(said.code, Some(i32::from(code != 0)), "{arguments}");
}

/// A folder with files in it.
fn folder(name: &str, files: &[(&str, String)]) -> Folder {
    let folder = Folder::new(name);
    for (file, text) in files {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

const SERVICE: &str = r#"{ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
    "spec": { "selector": { "app": "other" } } }"#;

#[test]
fn lint_says_what_is_wrong_with_every_rollout_of_a_file() {
    let no_room =
        CANARY.replace("\"canary\": {", "\"canary\": { \"maxSurge\": 0, \"maxUnavailable\": 0,");
    let many = no_room.replace("20 }", "120 }");
    let served = CANARY.replace("\"canary\": {", "\"canary\": { \"stableService\": \"web\",");
    let plugin = CANARY.replace("{ \"setWeight\": 60 }", "{ \"plugin\": { \"name\": \"a/b\" } }");
    let unknown =
        CANARY.replace("\"strategy\"", "\"unknown-strategy\"").replace("\"image\"", "\"imag\"");
    let folder = folder(
        "lint",
        &[
            ("good.json", CANARY.to_owned()),
            ("none.yaml", "---\n---\napiVersion: v1\nkind: ConfigMap\n".to_owned()),
            ("bad.json", no_room),
            ("several.yaml", format!("{CANARY}\n---\n{many}\n---\n{SERVICE}\n")),
            ("served.yaml", format!("{served}\n---\n{SERVICE}\n")),
            ("plugin.json", plugin),
            ("unknown.json", unknown),
            ("broken.yaml", "kind: [\n".to_owned()),
            ("kindless.yaml", "a: 1\n".to_owned()),
        ],
    );
    let room = "Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero";
    let weight = "Invalid value: 120: SetWeight needs to be between 0 and 100";
    let label = "Invalid value: \"web\": Service \"web\" has unmatch label \"app\" in rollout";
    let decoding = "Error: error unmarshaling JSON: while decoding JSON: ";
    let no_plugin = "Warning: spec.strategy.canary.steps[2].plugin: Forbidden: not supported yet\n";
    let fields = format!(
        "{decoding}json: unknown field \"imag\", json: unknown field \"unknown-strategy\"\n"
    );
    let kindless = format!("{decoding}Object 'Kind' is missing in '{{\"a\":1}}'\n");
    for (file, code, output, errors) in [
        ("good.json", 0, String::new(), String::new()),
        ("none.yaml", 0, String::new(), String::new()),
        ("bad.json", 10, format!("{room}\n"), format!("Error: spec.strategy.maxSurge: {room}\n")),
        (
            "several.yaml",
            10,
            format!("{room}\n{weight}\n"),
            format!("Error: spec.strategy.maxSurge: {room}\n"),
        ),
        (
            "served.yaml",
            10,
            format!("{label}\n"),
            format!("Error: spec.strategy.canary.stableService: {label}\n"),
        ),
        ("plugin.json", 0, String::new(), no_plugin.to_owned()),
        ("unknown.json", 2, String::new(), fields),
        ("kindless.yaml", 2, String::new(), kindless),
        (
            "nowhere.yaml",
            2,
            String::new(),
            "Error: open nowhere.yaml: no such file or directory\n".to_owned(),
        ),
    ] {
        check(&folder, &format!("lint -f {file}"), (code, &output, &errors));
    }
    let broken = called(PLUGIN, &folder, "lint -f broken.yaml").fails(1);
    assert!(broken.starts_with("Error: broken.yaml:"), "{broken}");
    let found = called("ringfence", &folder, "lint -f several.yaml -o json");
    assert_eq!(found.code, Some(10));
    let found: serde_json::Value = serde_json::from_str(&found.output).unwrap();
    assert_eq!(found[1]["path"], "spec.strategy.steps[0].setWeight");
    assert_eq!((&found[1]["rollout"], &found[1]["severity"]), (&"web".into(), &"error".into()));
}

#[test]
fn version_is_told_in_upstreams_lines() {
    let folder = Folder::new("version");
    for name in ["ringfence", PLUGIN, "kubectl-argo_rollouts"] {
        let whole = called(name, &folder, "version").ok();
        let short = called(name, &folder, "version --short -n shop").ok();
        assert!(
            whole.starts_with(&short) && short.starts_with("kubectl-argo-rollouts: v"),
            "{short}"
        );
        let words: Vec<&str> =
            whole.lines().skip(1).map(|line| line.split(':').next().unwrap()).collect();
        let wanted =
            ["BuildDate", "GitCommit", "GitTreeState", "GoVersion", "Compiler", "Platform"];
        assert_eq!(words, wanted.map(|word| format!("  {word}")));
    }
}

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    let folder = Folder::new("completion");
    for shell in ["bash", "zsh", "fish", "powershell"] {
        for name in ["ringfence", PLUGIN] {
            let script = called(name, &folder, &format!("completion {shell}")).ok();
            for word in [name, "terminate", "analysisrun", "skip-tls-verify"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
    called(PLUGIN, &folder, "completion tcsh").fails(1);
}

const SETTINGS: &str = r"
apiVersion: v1
kind: ConfigMap
metadata:
  name: argo-rollouts-notification-configmap
data:
  template.b.done: |
    message: |
      {{.rollout.metadata.name}} is <done>
      and more
    email:
      subject: Done
  template.a: |
    email:
      subject: Hello
  trigger.on-done: |
    - send: [b.done, a]
      when: rollout.status.phase == 'Healthy'
      oncePer: rollout.metadata.name
    - send: [a]
  service.slack: |
    token: $slack-token
";

#[test]
fn the_settings_of_notifications_are_listed_as_upstream_lists_them() {
    let folder = folder(
        "notifications",
        &[
            ("settings.yaml", SETTINGS.to_owned()),
            ("other.yaml", SETTINGS.replace("argo-rollouts-notification-configmap", "other")),
        ],
    );
    let templates = "NAME    PREVIEW\na       {\"email\":{\"subject\":\"Hello\"}}\nb.done  {{.rollout.metadata.name}} is <done>\n";
    let triggers = "NAME     TEMPLATE   CONDITION\non-done  b.done, a  rollout.status.phase == 'Healthy'\n         a          \n";
    let json = "{\n  \"on-done\": [\n    {\n      \"oncePer\": \"rollout.metadata.name\",\n      \"when\": \"rollout.status.phase == 'Healthy'\",\n      \"send\": [\n        \"b.done\",\n        \"a\"\n      ]\n    },\n    {\n      \"send\": [\n        \"a\"\n      ]\n    }\n  ]\n}\n";
    let missing = "Error: file 'other.yaml' does not have '/ConfigMap/argo-rollouts-notification-configmap'\n";
    for (arguments, code, output, errors) in [
        ("template get --config-map settings.yaml", 0, templates, ""),
        ("template get --config-map settings.yaml -o name", 0, "a\nb.done\n", ""),
        (
            "template get a --config-map settings.yaml -o yaml",
            0,
            "a:\n  email:\n    subject: Hello\n",
            "",
        ),
        ("--config-map settings.yaml trigger get --secret :empty", 0, triggers, ""),
        ("trigger get on-done --config-map settings.yaml -o json", 0, json, ""),
        ("trigger get --config-map other.yaml", 2, "", missing),
    ] {
        check(&folder, &format!("notifications {arguments}"), (code, output, errors));
    }
    for command in ["template notify a web", "trigger run on-done web"] {
        let said = called(PLUGIN, &folder, &format!("notifications {command}")).fails(1);
        assert!(said.contains("is not supported yet"), "{said}");
    }
}
