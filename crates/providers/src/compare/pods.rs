//! Logs of pods, read through the API server: which pods there are, then the log of each of them.
//!
//! Only pods of the run's own namespace are read, and of their logs only what speaks of trouble is kept,
//! masked and counted. A line belongs to the look in whose span of time it was written, told by the time
//! that the kubelet notes, so that it is counted once.
//!
//! Every new pod says what pods say when they start, and those of the stable version started long ago. So what a
//! pod logs in its warm-up is not counted, and neither is that time. A container that starts again says
//! it all again: that counts, as any trouble does.

use super::answers::Answer;
use jiff::{SignedDuration, Timestamp};
use judges::log::trouble;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use vocab::{Call, Reply, ReplyError};

/// The most pods of one version that may be there.
pub(super) const MAX_LISTED: usize = 200;
/// The most pods of one version whose logs are read at a look: the first ones by name.
pub(super) const MAX_READ: usize = 20;
/// The longest log of one pod that is read at a look, in bytes. A look with a longer one is not compared.
pub(super) const MAX_LOG_BYTES: usize = 256 * 1024;
/// The most different lines of one version at a look; what is beyond counts as one more.
pub(super) const MAX_LINES: usize = 200;
/// Bytes of a line that are looked at.
const MAX_LINE_BYTES: usize = 256;
/// What lines beyond [`MAX_LINES`] count as.
const OTHER_LINES: &str = "(other lines)";
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whose logs are read, and of when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reading {
    namespace: String,
    container: Option<String>,
    from: Timestamp,
    until: Timestamp,
    warm_up: SignedDuration,
    /// Pods that are to be read yet; none before they were listed.
    left: Option<Vec<Pod>>,
    /// Milliseconds of the look that the pods there are have run, all together.
    ran: u64,
    /// Those that were read.
    read: u64,
    lines: BTreeMap<String, u64>,
}

/// A pod, and the part of a look in which its lines count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pod {
    name: String,
    from: Timestamp,
    until: Timestamp,
}

/// What is known of the last start of a pod's container.
struct Life {
    /// When its lines begin to count; always, where nothing is known.
    counts_from: Option<Timestamp>,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
}

/// What comes next.
pub(super) enum Next {
    Ask(Call, Box<Reading>),
    Answered(Answer),
}

impl Reading {
    /// Begins with the pods that a label selector finds.
    pub(super) fn begin(
        (namespace, container): (&str, Option<&str>),
        selector: &str,
        (from, until): (Timestamp, Timestamp),
        warm_up: SignedDuration,
    ) -> (Call, Self) {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("labelSelector", selector)
            .append_pair("fieldSelector", "status.phase=Running")
            .append_pair("limit", &MAX_LISTED.to_string())
            .finish();
        let call = get(format!("/api/v1/namespaces/{}/pods?{query}", encoded(namespace)));
        let reading = Self {
            namespace: namespace.to_owned(),
            container: container.map(str::to_owned),
            from,
            until,
            warm_up,
            left: None,
            ran: 0,
            read: 0,
            lines: BTreeMap::new(),
        };
        (call, reading)
    }

    /// Goes on with an answer of the API server.
    ///
    /// # Errors
    /// A sentence, when it does not let us read.
    pub(super) fn go_on(mut self, reply: Result<Reply, ReplyError>) -> Result<Next, String> {
        let reply = reply.map_err(|error| error.to_string())?;
        match &mut self.left {
            None => self.list(&reply)?,
            Some(left) if left.is_empty() => {}
            Some(left) => {
                let pod = left.remove(0);
                if !self.read_log(&pod, &reply)? {
                    return Ok(Next::Answered(Answer::Cut));
                }
            }
        }
        Ok(self.next())
    }

    fn next(self) -> Next {
        let pod = self.left.as_ref().and_then(|left| left.first());
        match pod.map(|pod| self.log_of(pod)) {
            Some(call) => Next::Ask(call, Box::new(self)),
            None => {
                Next::Answered(Answer::Log { read: self.read, ran: self.ran, lines: self.lines })
            }
        }
    }

    fn list(&mut self, reply: &Reply) -> Result<(), String> {
        if reply.status != 200 {
            return Err(refused("pods cannot be listed", reply));
        }
        let list: Value = serde_json::from_slice(&reply.body)
            .map_err(|error| format!("the list of pods cannot be read: {error}"))?;
        let is_cut = list["metadata"]["continue"].as_str().is_some_and(|next| !next.is_empty());
        if is_cut {
            return Err(format!("there are more than {MAX_LISTED} pods"));
        }
        let mut pods = Vec::new();
        for pod in list["items"].as_array().into_iter().flatten() {
            let Some(name) = pod["metadata"]["name"].as_str() else { continue };
            let life = self.life(pod);
            let within = |time: Option<Timestamp>| time.unwrap_or(self.from).max(self.from);
            let until = life.finished.unwrap_or(self.until).min(self.until);
            let ran = millis(within(life.started), until);
            let from = within(life.counts_from);
            self.ran = self.ran.saturating_add(ran);
            pods.push(Pod { name: name.to_owned(), from, until });
        }
        pods.retain(|pod| pod.from < pod.until);
        pods.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        pods.truncate(MAX_READ);
        self.left = Some(pods);
        Ok(())
    }

    /// What the status of a pod says of the container whose log is read: what runs, else what ran last.
    fn life(&self, pod: &Value) -> Life {
        let statuses = pod["status"]["containerStatuses"].as_array();
        let is_it = |status: &&Value| {
            self.container.as_deref().is_none_or(|name| status["name"].as_str() == Some(name))
        };
        let status = statuses.and_then(|all| all.iter().find(is_it)).unwrap_or(&Value::Null);
        let instances = ["/state/running", "/state/terminated", "/lastState/terminated"];
        let instance = instances.iter().find_map(|path| status.pointer(path));
        let instance = instance.unwrap_or(&Value::Null);
        let (started, finished) = (time(&instance["startedAt"]), time(&instance["finishedAt"]));
        let is_restarted = status["restartCount"].as_u64().is_some_and(|count| count > 0);
        let born = time(&pod["status"]["startTime"]);
        let warm = |time: Timestamp| time.checked_add(self.warm_up).unwrap_or(Timestamp::MAX);
        let counts_from = match started {
            Some(started) if is_restarted => Some(born.map_or(started, warm).max(started)),
            _ => started.or(born).map(warm),
        };
        Life { counts_from, started: started.or(born), finished }
    }

    fn log_of(&self, pod: &Pod) -> Call {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(container) = &self.container {
            query.append_pair("container", container);
        }
        // The server takes whole seconds; what is before `from` is left out when the lines are read.
        let since = Timestamp::from_second(pod.from.as_second()).unwrap_or(pod.from);
        query.append_pair("sinceTime", &since.to_string());
        query.append_pair("timestamps", "true");
        query.append_pair("limitBytes", &MAX_LOG_BYTES.to_string());
        let (namespace, pod, query) =
            (encoded(&self.namespace), encoded(&pod.name), query.finish());
        get(format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?{query}"))
    }

    /// Counts the lines of one pod; no, if there are more than are read.
    fn read_log(&mut self, pod: &Pod, reply: &Reply) -> Result<bool, String> {
        match reply.status {
            200 => {}
            // It is gone, or has not started: it has no log.
            400 | 404 => return Ok(true),
            _ => return Err(refused(&format!("the log of {} cannot be read", pod.name), reply)),
        }
        if reply.body.len() >= MAX_LOG_BYTES {
            return Ok(false);
        }
        self.read = self.read.saturating_add(millis(pod.from, pod.until));
        for line in String::from_utf8_lossy(&reply.body).lines() {
            self.count(pod, line);
        }
        Ok(true)
    }

    fn count(&mut self, pod: &Pod, line: &str) {
        let Some((at, text)) = line.split_once(' ') else { return };
        let at = at.parse::<Timestamp>().ok();
        // A container's last words may come with its end, whose time is in whole seconds.
        if !at.is_some_and(|at| pod.from <= at && at < self.until) {
            return;
        }
        let Some(masked) = trouble(head(text)) else { return };
        let is_room = self.lines.len() < MAX_LINES || self.lines.contains_key(&masked);
        let line = if is_room { masked } else { OTHER_LINES.to_owned() };
        *self.lines.entry(line).or_default() += 1;
    }
}

fn time(text: &Value) -> Option<Timestamp> {
    text.as_str()?.parse().ok()
}

/// Milliseconds from one time to another; at least one where the second is later, none where it is not.
fn millis(from: Timestamp, until: Timestamp) -> u64 {
    let span = u64::try_from(until.duration_since(from).as_millis()).unwrap_or_default();
    if from < until { span.max(1) } else { 0 }
}

/// The first words of a line. No word is cut: a secret that was cut in two would not be known for one.
fn head(line: &str) -> &str {
    if line.len() <= MAX_LINE_BYTES {
        return line;
    }
    let head = &line[..line.floor_char_boundary(MAX_LINE_BYTES)];
    head.rfind(char::is_whitespace).map_or("", |end| &head[..end])
}

/// What the API server says against it.
fn refused(what: &str, reply: &Reply) -> String {
    let status: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let why = status["message"].as_str().unwrap_or_default();
    let colon = if why.is_empty() { "" } else { ": " };
    format!("{what}: the API server answers {}{colon}{why}", reply.status)
}

fn encoded(part: &str) -> String {
    form_urlencoded::byte_serialize(part.as_bytes()).collect()
}

fn get(url: String) -> Call {
    Call {
        method: "GET".to_owned(),
        url,
        headers: vec![("Accept".to_owned(), "application/json".to_owned())],
        body: None,
        timeout: TIMEOUT,
        insecure: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::slice::from_ref;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, headers: BTreeMap::new(), body: body.as_bytes().to_vec() }
    }

    fn reading() -> (Call, Reading) {
        let time = |text: &str| text.parse().unwrap();
        let span = (time("2026-11-22T05:00:00.5Z"), time("2026-11-22T05:01:00.5Z"));
        Reading::begin(
            ("shop", Some("web")),
            "app=web,hash=abc",
            span,
            SignedDuration::from_secs(30),
        )
    }

    /// Milliseconds of a look of a minute that pods ran and that are read, and since when the first counts.
    #[track_caller]
    fn check_life(statuses: &[Value], expected: (u64, Option<&str>)) {
        let (_, reading) = reading();
        let pod = |(number, status): (usize, &Value)| json!({"metadata": {"name": format!("p{number}")}, "status": status});
        let pods: Vec<Value> = statuses.iter().enumerate().map(pod).collect();
        let listed = reply(200, &json!({"items": pods}).to_string());
        let Ok(Next::Ask(_, reading)) = reading.clone().go_on(Ok(listed.clone())) else {
            let Ok(Next::Answered(Answer::Log { ran, read, .. })) = reading.go_on(Ok(listed))
            else {
                panic!("a list of pods")
            };
            return assert_eq!(((ran, None), read), (expected, 0));
        };
        let first = reading.left.as_ref().and_then(|left| left.first());
        let from = first.map(|pod| pod.from.to_string());
        assert_eq!((reading.ran, from.as_deref()), expected, "{statuses:?}");
    }

    fn running(name: &str, restarts: u32, started: &str) -> Value {
        let state = json!({"running": {"startedAt": started}});
        json!({"name": name, "restartCount": restarts, "state": state})
    }

    /// The pods `a` and `b`, with these logs.
    fn read(logs: [(u16, &str); 2]) -> Result<Answer, String> {
        let (_, reading) = reading();
        let pods = json!({"items": [{"metadata": {"name": "b"}}, {"metadata": {"name": "a"}}]});
        let mut next = reading.go_on(Ok(reply(200, &pods.to_string())))?;
        for (status, log) in logs {
            let Next::Ask(call, reading) = next else { break };
            assert!(call.url.starts_with("/api/v1/namespaces/shop/pods/"), "{}", call.url);
            next = reading.go_on(Ok(reply(status, log)))?;
        }
        match next {
            Next::Answered(answer) => Ok(answer),
            Next::Ask(call, _) => Err(call.url),
        }
    }

    #[test]
    fn pods_are_asked_for_by_their_labels_and_logs_by_their_names() {
        let (call, reading) = reading();
        let expected = "/api/v1/namespaces/shop/pods?labelSelector=app%3Dweb%2Chash%3Dabc\
            &fieldSelector=status.phase%3DRunning&limit=200";
        assert_eq!(call.url, expected);
        let expected = "/api/v1/namespaces/shop/pods/a/log?container=web\
            &sinceTime=2026-11-22T05%3A00%3A00Z&timestamps=true&limitBytes=262144";
        let (from, until) = (reading.from, reading.until);
        let pod = Pod { name: "a".to_owned(), from, until };
        assert_eq!(reading.log_of(&pod).url, expected);
    }

    #[test]
    fn what_a_pod_logs_in_its_warm_up_does_not_count() {
        // The look is from 05:00:00.5 to 05:01:00.5, the warm-up half a minute.
        let status = |statuses: Vec<Value>| json!({"startTime": "2026-11-22T04:00:00Z", "containerStatuses": statuses});
        let old = status(vec![running("web", 0, "2026-11-22T04:00:09Z")]);
        check_life(from_ref(&old), (60_000, Some("2026-11-22T05:00:00.5Z")));
        let young = status(vec![
            running("proxy", 0, "2026-11-22T04:00:09Z"),
            running("web", 0, "2026-11-22T05:00:10Z"),
        ]);
        check_life(from_ref(&young), (50_500, Some("2026-11-22T05:00:40Z")));
        check_life(&[old, young], (110_500, Some("2026-11-22T05:00:00.5Z")));
        let newborn = status(vec![running("web", 0, "2026-11-22T05:00:40Z")]);
        check_life(&[newborn], (20_500, None));
        check_life(&[json!({})], (60_000, Some("2026-11-22T05:00:00.5Z")));
    }

    #[test]
    fn what_a_container_says_when_it_starts_again_counts() {
        let status = |born: &str, container: Value| json!({"startTime": born, "containerStatuses": [container]});
        let again = running("web", 1, "2026-11-22T05:00:10Z");
        check_life(
            &[status("2026-11-22T04:00:00Z", again.clone())],
            (50_500, Some("2026-11-22T05:00:10Z")),
        );
        check_life(
            &[status("2026-11-22T05:00:00Z", again)],
            (50_500, Some("2026-11-22T05:00:30Z")),
        );
        let ended =
            json!({"startedAt": "2026-11-22T05:00:10Z", "finishedAt": "2026-11-22T05:00:12Z"});
        let crashed = json!({
            "name": "web", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": ended},
        });
        check_life(
            &[status("2026-11-22T04:00:00Z", crashed)],
            (2_000, Some("2026-11-22T05:00:10Z")),
        );
    }

    #[test]
    fn trouble_within_the_span_of_time_is_counted_and_masked() {
        let log = "2026-11-22T05:00:00.4Z ERROR too early\n\
            2026-11-22T05:00:00.5Z ERROR no order 17, password=hunter2\n\
            2026-11-22T05:00:30Z INFO served 4\n\
            2026-11-22T05:00:31Z ERROR no order 18, password=hunter3\n\
            2026-11-22T05:01:00.5Z ERROR too late\n\
            no time ERROR at all\n";
        let lines = [("ERROR no order <num>, password=<secret>".to_owned(), 2)];
        let expected = Answer::Log { read: 60_000, ran: 120_000, lines: lines.into() };
        // One of the two has not started yet.
        assert_eq!(read([(200, log), (400, "")]), Ok(expected));
    }

    #[test]
    fn a_log_that_is_too_long_is_not_compared() {
        let long = "x".repeat(MAX_LOG_BYTES);
        assert_eq!(read([(200, &long), (200, "")]), Ok(Answer::Cut));
    }

    #[test]
    fn who_may_not_read_says_so() {
        let status = json!({"message": "pods \"a\" is forbidden"}).to_string();
        let expected =
            "the log of a cannot be read: the API server answers 403: pods \"a\" is forbidden";
        assert_eq!(read([(403, &status), (200, "")]), Err(expected.to_owned()));
    }

    #[test]
    fn what_differs_too_much_counts_as_one() {
        let line = |number: u32| {
            let digits = number.to_string();
            let letters = digits.bytes().map(|digit| char::from(digit - b'0' + b'a'));
            let name: String = letters.collect();
            format!("2026-11-22T05:00:31Z ERROR no such thing as {name}\n")
        };
        let log: String = (1000..1000 + 2 * 200).map(line).collect();
        let Ok(Answer::Log { lines, .. }) = read([(200, &log), (200, "")]) else { panic!("a log") };
        assert_eq!((lines.len(), lines[OTHER_LINES]), (MAX_LINES + 1, 200));
    }

    #[test]
    fn no_word_is_cut_in_two() {
        let line = format!("ERROR {} password=hunter2", "x".repeat(MAX_LINE_BYTES - 15));
        assert!(!head(&line).contains("hunter"), "{}", head(&line));
        assert_eq!(head("ERROR short"), "ERROR short");
    }
}
