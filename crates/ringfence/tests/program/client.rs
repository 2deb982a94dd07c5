//! The commands of the client that upstream has besides those for a rollout: what they say, and what they do.

use crate::support::{CANARY, Cluster, Folder, PROGRAM, Running, Said, Speaks, ask, is_installed};
use std::{os::unix::process::CommandExt, process::Command};

const TEMPLATE: &str = r#"{
    "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
    "metadata": { "name": "pass", "labels": { "team": "a" } },
    "spec": {
        "args": [{ "name": "foo" }, { "name": "bar", "value": "kept" }],
        "metrics": [{
            "name": "up", "interval": "1h", "count": 2, "successCondition": "true",
            "provider": { "web": { "url": "http://127.0.0.1:1/{{args.foo}}" } }
        }]
    }
}"#;

const EXPERIMENT: &str = r#"{
    "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": { "name": "try" },
    "spec": {
        "duration": "1h",
        "scaleDownDelaySeconds": 0,
        "templates": [{
            "name": "baseline",
            "selector": { "matchLabels": { "app": "try" } },
            "template": {
                "metadata": { "labels": { "app": "try" } },
                "spec": { "containers": [{ "name": "app", "image": "argoproj/rollouts-demo:blue" }] }
            }
        }]
    }
}"#;

/// The program under upstream's name, in the folder of the test.
fn plugin(folder: &Folder, cluster: &Cluster, arguments: &str) -> Said {
    let mut command = Command::new(PROGRAM);
    command.arg0("kubectl-argo-rollouts").current_dir(folder.path());
    command.env("KUBECONFIG", &cluster.kubeconfig).args(arguments.split(' '));
    ask(&mut command, "")
}

/// Cases in order: arguments, then standard output if it goes well, or standard error if it does not.
#[track_caller]
fn play(folder: &Folder, cluster: &Cluster, cases: &[(&str, Result<&str, &str>)]) {
    for (arguments, wanted) in cases {
        let said = plugin(folder, cluster, arguments);
        match wanted {
            Ok(output) => {
                let told = (said.code, said.output.as_str(), said.errors.as_str());
                assert_eq!(told, (Some(0), format!("{output}\n").as_str(), ""), "{arguments}");
            }
            Err(errors) => {
                let told = (said.code, said.errors.as_str());
                assert_eq!(told, (Some(1), format!("{errors}\n").as_str()), "{arguments}");
            }
        }
    }
}

/// What there is to make.
fn write_manifests(folder: &Folder) {
    let global = TEMPLATE.replace("\"AnalysisTemplate\"", "\"ClusterAnalysisTemplate\"");
    let nameless = TEMPLATE.replace("\"name\": \"pass\",", "");
    let yaml = "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: wrong}\nspek: {}\n";
    for (file, text) in [
        ("rollout.json", CANARY),
        ("experiment.json", EXPERIMENT),
        ("template.json", TEMPLATE),
        ("global.json", &global),
        ("nameless.json", &nameless),
        ("unknown.yaml", yaml),
        ("map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    ] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
}

#[test]
fn objects_are_made_from_files() {
    let folder = Folder::new("create");
    let cluster = Cluster::start(&folder, &[]);
    write_manifests(&folder);
    let made = |what: &'static str| Ok::<_, &str>(what);
    play(
        &folder,
        &cluster,
        &[
            ("create -f rollout.json", made("rollout.argoproj.io/web created")),
            ("create -f rollout.json", Err("Error: rollouts.argoproj.io \"web\" already exists")),
            (
                "create -f experiment.json -f template.json",
                made(
                    "experiment.argoproj.io/try created\nanalysistemplate.argoproj.io/pass created",
                ),
            ),
            ("create -f global.json", made("analysistemplate.argoproj.io/pass created")),
            ("create -f map.yaml", Err("Error: creates of /ConfigMap unsupported")),
            (
                "create -w -f rollout.json -f template.json",
                Err("Error: Cannot watch multiple resources"),
            ),
            (
                "create -f unknown.yaml",
                Err(
                    "Error: error unmarshaling JSON: while decoding JSON: json: unknown field \"spek\"",
                ),
            ),
            ("create -f nowhere.yaml", Err("Error: open nowhere.yaml: no such file or directory")),
        ],
    );
}

#[test]
fn runs_are_made_from_templates() {
    let folder = Folder::new("create-runs");
    let cluster = Cluster::start(&folder, &[]);
    write_manifests(&folder);
    let made = |what: &'static str| Ok::<_, &str>(what);
    let both = "Error: one of --from or --from-file must be specified";
    plugin(&folder, &cluster, "create -f template.json -f global.json").ok();
    play(
        &folder,
        &cluster,
        &[
            ("create analysisrun", Err(both)),
            ("create ar --from pass --from-file template.json", Err(both)),
            (
                "create ar --from pass -a bad-syntax",
                Err("Error: arguments must be in the form NAME=VALUE"),
            ),
            ("create ar --from pass", Err("Error: args.foo was not resolved")),
            (
                "create ar --from none -a foo=b",
                Err("Error: analysistemplates.argoproj.io \"none\" not found"),
            ),
            (
                "create ar --global --from none -a foo=b",
                Err("Error: clusteranalysistemplates.argoproj.io \"none\" not found"),
            ),
            ("create ar --from-file nameless.json -a foo=b", Err("Error: name is invalid")),
            (
                "create ar --from pass -a foo=a=b --name one --instance-id canaries",
                made("analysisrun.argoproj.io/one created"),
            ),
            (
                "create ar --global --from pass -a foo=b --name two",
                made("analysisrun.argoproj.io/two created"),
            ),
            (
                "create ar --from-file template.json -a foo=b --name three",
                made("analysisrun.argoproj.io/three created"),
            ),
        ],
    );
    let generated = plugin(&folder, &cluster, "create ar --from pass -a foo=b").ok();
    assert!(generated.starts_with("analysisrun.argoproj.io/pass-"), "{generated}");
    let prefixed =
        plugin(&folder, &cluster, "create ar --from pass -a foo=b --generate-name my-").ok();
    assert!(prefixed.starts_with("analysisrun.argoproj.io/my-"), "{prefixed}");
    if is_installed("kubectl", "what a run made from a template is") {
        let run = cluster.kubectl("get analysisrun one -o json").ok();
        let run: serde_json::Value = serde_json::from_str(&run).unwrap();
        let labels = &run["metadata"]["labels"];
        assert_eq!(labels["argo-rollouts.argoproj.io/controller-instance-id"], "canaries");
        assert_eq!(labels["team"], "a");
        assert_eq!(run["spec"]["args"][0]["value"], "a=b");
        assert_eq!(run["spec"]["args"][1]["value"], "kept");
        assert_eq!(run["spec"]["metrics"][0]["name"], "up");
    }
}

#[test]
fn experiments_and_runs_are_shown_ended_and_begun_again() {
    let folder = Folder::new("experiments");
    let cluster = Cluster::start(&folder, &["--with-controller"]);
    std::fs::write(folder.path().join("experiment.json"), EXPERIMENT).unwrap();
    std::fs::write(folder.path().join("template.json"), TEMPLATE).unwrap();
    let none = plugin(&folder, &cluster, "list experiments");
    assert_eq!((none.code, none.errors.as_str()), (Some(0), "No resources found.\n"));
    play(
        &folder,
        &cluster,
        &[
            ("create -f experiment.json", Ok("experiment.argoproj.io/try created")),
            (
                "create ar --from-file template.json -a foo=b --name run",
                Ok("analysisrun.argoproj.io/run created"),
            ),
            ("get experiment none", Err("Error: experiment.argoproj.io \"none\" not found")),
            ("terminate experiment none", Err("Error: experiments.argoproj.io \"none\" not found")),
            ("terminate ar none", Err("Error: analysisruns.argoproj.io \"none\" not found")),
            ("retry exp none", Err("Error: experiments.argoproj.io \"none\" not found")),
        ],
    );
    for (words, wanted) in [("get exp ", "try\n:4\n"), ("get exp x", ":4\n")] {
        assert_eq!(
            plugin(&folder, &cluster, &format!("__complete {words}")).ok(),
            wanted,
            "{words}"
        );
    }
    assert_eq!(plugin(&folder, &cluster, "__complete -n default terminate ar r").ok(), "run\n:4\n");
    let mut watching = Running::start(&mut cluster.client("get exp try -w"), Speaks::Output);
    assert_eq!(watching.after("Name:"), "try");
    watching.after("◌ Running");
    watching.after("ready:1/1");
    let shown = cluster.ringfence("get experiment try").ok();
    for line in
        ["Namespace:       default", "Images:          argoproj/rollouts-demo:blue (Σ:baseline)"]
    {
        assert!(shown.lines().any(|found| found == line), "`{line}` is not in\n{shown}");
    }
    let tree: Vec<_> = shown.lines().skip_while(|line| !line.starts_with("NAME")).collect();
    for (line, start) in
        tree.iter().zip(["NAME ", "Σ try ", "└──⧉ try-baseline", "   └──□ try-baseline-"])
    {
        assert!(line.starts_with(start), "`{start}` does not begin `{line}`");
    }
    let listed = plugin(&folder, &cluster, "list exp -A").ok();
    let row: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..4], ["default", "try", "Running", "60m"], "{listed}");
    play(
        &folder,
        &cluster,
        &[
            ("terminate experiment try", Ok("experiment 'try' retried")),
            ("terminate analysisrun run", Ok("analysisRun 'run' terminated")),
        ],
    );
    watching.after("✔ Successful");
    play(&folder, &cluster, &[("retry experiment try", Ok("experiment 'try' retried"))]);
}

#[test]
fn what_is_made_can_be_watched_at_once() {
    let folder = Folder::new("watched");
    let cluster = Cluster::start(&folder, &["--with-controller"]);
    let file = folder.file("rollout.json");
    std::fs::write(&file, CANARY).unwrap();
    let mut watching =
        Running::start(&mut cluster.client(&format!("create -w -f {file}")), Speaks::Output);
    assert_eq!(watching.line().unwrap(), "rollout.argoproj.io/web created");
    assert_eq!(watching.after("Name:"), "web");
    watching.after("✔ Healthy");
}

#[test]
fn former_options_of_promote_still_work_and_say_what_to_use() {
    if !is_installed("kubectl", "former options of promote") {
        return;
    }
    let folder = Folder::new("promote");
    let cluster = Cluster::start(&folder, &["--with-controller"]).with_canary();
    let one = "Flag --skip-current-step has been deprecated, use without the flag instead ex: promote ROLLOUT_NAME\n";
    let all = "Flag --skip-all-steps has been deprecated, use --full instead\n";
    let letter = "Flag shorthand -a has been deprecated, use --full instead\n";
    cluster.ringfence("set image web app=argoproj/rollouts-demo:green").ok();
    cluster.await_phase("web", "Paused");
    let both = plugin(&folder, &cluster, "promote web -c -a").fails(1);
    assert!(both.ends_with(
        "Error: Cannot use skip-current-step and skip-all-steps flags at the same time\n"
    ));
    let said = plugin(&folder, &cluster, "promote web --skip-current-step");
    assert_eq!((said.errors.as_str(), said.output.as_str()), (one, "rollout 'web' promoted\n"));
    let said = plugin(&folder, &cluster, "promote web -a");
    assert_eq!(said.errors, format!("{letter}{all}"));
    assert_eq!(said.output, "rollout 'web' promoted\n");
    let restarted = plugin(&folder, &cluster, "restart web --in 90s").ok();
    assert_eq!(restarted, "rollout 'web' restarts in 90s\n");
    let restarted = plugin(&folder, &cluster, "restart web -i 2m").ok();
    assert_eq!(restarted, "rollout 'web' restarts in 2m\n");
}
