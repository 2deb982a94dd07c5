//! A path, and below it the JSON that it leads through, as the provider `web` reads both.

use super::in_two;
use crate::{Seen, Target};
use jiff::Timestamp;
use providers::{Asked, Credentials, by_name};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use vocab::{Exchange, Reply};

pub(super) const TARGET: Target = Target { name: "json-paths", seeds, words: WORDS, read };

const WORDS: &[&str] = &[
    "{",
    "}",
    "$",
    "@",
    ".",
    "..",
    "*",
    "[",
    "]",
    "[0]",
    "[-1]",
    "[0:2]",
    "[::2]",
    "[*]",
    "['a']",
    "[\"b c\"]",
    "?(@.a>1)",
    "?(@.a==\"x\")",
    "&&",
    "||",
    "!",
    "length(",
    "match(@.a,'a+')",
    "search(",
    "count(",
    "value(",
    ",",
    "\\.",
    ".a",
    ".items",
    "range",
    "end",
    "[1,2]",
    "[9223372036854775807]",
    "{\"a\": [1, {\"b c\": null}]}",
    "\n",
];

fn seeds() -> Vec<Vec<u8>> {
    let json = r#"{"data": {"ok": true, "successPercent": 0.95}, "items": [{"name": "a", "v": 1}, {"name": "b", "v": [2, 3]}], "a-b": {"c.d": "x"}}"#;
    let paths = [
        "{$}",
        "{$.data.ok}",
        "{.items[0].name}",
        "{.items[*].v}",
        "{..name}",
        "{$.items[?(@.name==\"b\")].v[1]}",
        "{.a-b.c\\.d}",
        "{.items[-1:]}",
        "{$['data']['ok']}",
        "{.items[0,1].name}",
        "{@.data}",
        "{$.items[?(length(@.name)>0 && @.v>0)]}",
    ];
    paths.map(|path| format!("{path}\n{json}").into_bytes()).to_vec()
}

fn read(input: &[u8]) -> Seen {
    let (path, body) = in_two(input);
    let Some(web) = by_name("web") else { return Err("there is no provider web".to_owned()) };
    let config = json!({ "url": "http://service/", "jsonPath": path });
    let credentials = Credentials::default();
    let asked = Asked {
        config: &config,
        credentials: &credentials,
        interval: Some(Duration::from_mins(1)),
        run_started_at: Timestamp::UNIX_EPOCH,
        namespace: "shop",
        learned: None,
    };
    let is_refused = !web.validate(&config).is_empty();
    let state = match web.start(&asked, Timestamp::UNIX_EPOCH) {
        Exchange::Call(_, state) => state,
        Exchange::Done(Err(error)) if is_refused => {
            return Ok(without_place(&error.message));
        }
        other => return Err(format!("a measurement begins with {other:?}")),
    };
    let reply = Reply { status: 200, headers: BTreeMap::new(), body: body.into_bytes() };
    match web.resume(&asked, &state, Ok(reply), Timestamp::UNIX_EPOCH) {
        Exchange::Done(Ok(_)) if is_refused => {
            Err("a path that is refused leads somewhere".to_owned())
        }
        Exchange::Done(Ok(_)) => Ok("found".to_owned()),
        Exchange::Done(Err(error)) => Ok(without_place(&error.message)),
        other => Err(format!("a measurement goes on with {other:?}")),
    }
}

/// What is wrong, without the path up to there, which would make every path new.
fn without_place(message: &str) -> String {
    let words: Vec<&str> = message.split(' ').collect();
    words[words.len().saturating_sub(4)..].join(" ")
}
