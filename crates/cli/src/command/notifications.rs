//! `notifications`: what the settings of notifications say. Sending and evaluating needs the engine, which
//! is not here yet.

use crate::{
    Failure, Screen,
    args::{
        ItemsArguments, ItemsOutput, NotificationsArguments, NotificationsCommand, TemplateCommand,
        TriggerCommand,
    },
    connect::connect,
    manifest,
    print::Table,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::Path};

/// The ConfigMap that holds the settings.
const CONFIG_MAP: &str = "argo-rollouts-notification-configmap";
/// Bytes of a template that a table shows at most.
const PREVIEW_MAX: usize = 100;
/// Bytes that are left of a longer one.
const PREVIEW_CUT: usize = 99;

/// The parts of a template, in the order in which upstream prints them.
const PARTS: [&str; 17] = [
    "message",
    "awssqs",
    "gcppubsub",
    "email",
    "slack",
    "mattermost",
    "rocketchat",
    "teams",
    "teams-workflows",
    "webhook",
    "opsgenie",
    "github",
    "alertmanager",
    "googlechat",
    "pagerduty",
    "pagerdutyv2",
    "newrelic",
];

/// When a trigger sends what; fields in the order in which upstream prints them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    #[serde(skip_serializing_if = "String::is_empty")]
    once_per: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    when: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    send: Vec<String>,
}

pub(super) async fn run(
    command: NotificationsCommand,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    match command {
        NotificationsCommand::Template(TemplateCommand::Get(arguments)) => {
            templates(arguments, screen).await
        }
        NotificationsCommand::Trigger(TriggerCommand::Get(arguments)) => {
            triggers(arguments, screen).await
        }
        NotificationsCommand::Template(TemplateCommand::Notify(_)) => {
            Err(not_yet("template notify", "renders and sends nothing"))
        }
        NotificationsCommand::Trigger(TriggerCommand::Run(_)) => {
            Err(not_yet("trigger run", "evaluates no trigger"))
        }
    }
}

fn not_yet(command: &str, why: &str) -> Failure {
    Failure::Wrong(format!("`notifications {command}` is not supported yet: this program {why}"))
}

async fn templates(arguments: ItemsArguments, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let found = settings(&arguments.settings).await?;
    let templates: BTreeMap<String, Value> = named(&found, "template", arguments.name.as_deref())?;
    let templates: BTreeMap<&String, Value> =
        templates.iter().map(|(name, template)| (name, in_order(template))).collect();
    if arguments.output != ItemsOutput::Wide {
        return print(&templates, arguments.output, screen);
    }
    let mut table = Table::default();
    table.row(["NAME", "PREVIEW"].map(str::to_owned));
    for (name, template) in templates {
        table.row([name.clone(), preview(&template)]);
    }
    print_table(&table, screen)
}

async fn triggers(arguments: ItemsArguments, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let found = settings(&arguments.settings).await?;
    let triggers: BTreeMap<String, Vec<Condition>> =
        named(&found, "trigger", arguments.name.as_deref())?;
    if arguments.output != ItemsOutput::Wide {
        return print(&triggers, arguments.output, screen);
    }
    let mut table = Table::default();
    table.row(["NAME", "TEMPLATE", "CONDITION"].map(str::to_owned));
    for (name, conditions) in triggers {
        for (index, condition) in conditions.into_iter().enumerate() {
            let name = if index == 0 { name.clone() } else { String::new() };
            table.row([name, condition.send.join(", "), condition.when]);
        }
    }
    print_table(&table, screen)
}

/// The settings, from a file or from the cluster. Secrets are not asked for: nothing here needs one.
async fn settings(arguments: &NotificationsArguments) -> Result<BTreeMap<String, String>, Failure> {
    if let Some(file) = &arguments.config_map {
        return from_file(file);
    }
    let connection = connect(&arguments.connect).await?;
    let api: Api<ConfigMap> = connection.api();
    Ok(api.get(CONFIG_MAP).await?.data.unwrap_or_default())
}

fn from_file(file: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let is_wanted = |document: &manifest::Document| {
        document.group().is_empty()
            && document.kind() == "ConfigMap"
            && document.object["metadata"]["name"] == CONFIG_MAP
    };
    let Some(found) = manifest::read(file)?.into_iter().find(is_wanted) else {
        let shown = file.display();
        return Err(Failure::Wrong(format!(
            "file '{shown}' does not have '/ConfigMap/{CONFIG_MAP}'"
        )));
    };
    let config: ConfigMap = serde_json::from_value(found.object.clone())
        .map_err(|error| found.complaint(&format!("json: {error}")))?;
    Ok(config.data.unwrap_or_default())
}

/// Every setting of a kind by name, or the one that was asked for.
fn named<T: for<'de> Deserialize<'de>>(
    settings: &BTreeMap<String, String>,
    kind: &str,
    wanted: Option<&str>,
) -> Result<BTreeMap<String, T>, Failure> {
    let mut found = BTreeMap::new();
    for (key, text) in settings {
        let name = key.strip_prefix(kind).and_then(|rest| rest.strip_prefix('.'));
        let Some(name) = name.filter(|name| wanted.is_none_or(|wanted| wanted == *name)) else {
            continue;
        };
        let value = serde_saphyr::from_str(text).map_err(|error| {
            let words = error.without_snippet().to_string();
            let first = words.lines().next().unwrap_or_default();
            Failure::Wrong(format!("failed to unmarshal {kind} {name}: {first}"))
        })?;
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

fn in_order(template: &Value) -> Value {
    let part = |name: &&str| Some(((*name).to_owned(), template.get(name)?.clone()));
    Value::Object(PARTS.iter().filter_map(part).collect::<Map<_, _>>())
}

/// The first line of a template's message, or of the template, cut to what a table bears.
fn preview(template: &Value) -> String {
    let message = template["message"].as_str().filter(|message| !message.is_empty());
    let text = message.map_or_else(|| in_go(&template.to_string()), str::to_owned);
    let line = text.split('\n').next().unwrap_or_default();
    if line.len() <= PREVIEW_MAX {
        return line.to_owned();
    }
    let fits = |at: &usize| line.is_char_boundary(*at);
    let cut = (0..=PREVIEW_CUT).rev().find(fits).unwrap_or(0);
    format!("{}...", &line[..cut])
}

/// JSON as Go writes it, which is fit for a web page.
fn in_go(json: &str) -> String {
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

fn print<K: Serialize + AsRef<str>, V: Serialize>(
    items: &BTreeMap<K, V>,
    output: ItemsOutput,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    match output {
        ItemsOutput::Name => {
            for name in items.keys() {
                writeln!(screen.out, "{}", name.as_ref())?;
            }
            Ok(())
        }
        ItemsOutput::Yaml => {
            let mut value = serde_json::to_value(items)?;
            value.sort_all_objects();
            let text = serde_saphyr::to_string(&value)
                .map_err(|error| Failure::Wrong(error.to_string()))?;
            Ok(write!(screen.out, "{text}")?)
        }
        ItemsOutput::Json | ItemsOutput::Wide => {
            let text = serde_json::to_string_pretty(items)?;
            Ok(writeln!(screen.out, "{}", in_go(&text))?)
        }
    }
}

fn print_table(table: &Table, screen: &mut Screen<'_>) -> Result<(), Failure> {
    Ok(writeln!(screen.out, "{}", table.lines().join("\n"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_template_is_shown_by_the_first_line_of_its_message() {
        let long = "x".repeat(101);
        for (template, wanted) in [
            (json!({ "message": "one\ntwo" }), "one".to_owned()),
            (
                json!({ "email": { "subject": "a & b" } }),
                r#"{"email":{"subject":"a \u0026 b"}}"#.to_owned(),
            ),
            (json!({ "message": "x".repeat(100) }), "x".repeat(100)),
            (json!({ "message": long }), format!("{}...", "x".repeat(99))),
        ] {
            assert_eq!(preview(&template), wanted);
        }
    }

    #[test]
    fn settings_are_found_by_kind_and_name() {
        let settings = BTreeMap::from([
            ("template.a.b".to_owned(), "message: hi".to_owned()),
            ("template.c".to_owned(), "message: ho".to_owned()),
            ("trigger.a".to_owned(), "- send: [c]\n  when: 'true'".to_owned()),
        ]);
        let templates: BTreeMap<String, Value> = named(&settings, "template", None).unwrap();
        assert_eq!(templates.keys().collect::<Vec<_>>(), ["a.b", "c"]);
        let triggers: BTreeMap<String, Vec<Condition>> =
            named(&settings, "trigger", Some("a")).unwrap();
        assert_eq!(
            (triggers["a"][0].send.join(","), triggers["a"][0].when.as_str()),
            ("c".to_owned(), "true")
        );
    }
}
