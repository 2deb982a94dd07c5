//! What goes wrong outside is told in one sentence, and harms nobody else.

use crate::support::{Cluster, Folder, PROGRAM, ask};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
};

#[test]
fn what_cannot_be_started_is_told_in_one_sentence_with_the_way_out() {
    let folder = Folder::new("starts");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (kubeconfig, file) = (folder.file("kubeconfig"), folder.file("file"));
    let (here, nowhere) = (folder.path().to_str().unwrap(), folder.file("no/kubeconfig"));
    std::fs::write(&file, "apiVersion: v1\nkind: [\n").unwrap();
    let cluster = |arguments: &[&str]| [&["cluster"], arguments].concat().join(" ");
    for (arguments, words) in [
        (
            cluster(&["--kubeconfig", &kubeconfig, "--port", &port]),
            "choose another, or 0 for a free one",
        ),
        (cluster(&["--kubeconfig", &kubeconfig, "--port", "99999"]), "99999 is not in 0..=65535"),
        (cluster(&["--kubeconfig", &nowhere]), "create it first"),
        (cluster(&["--kubeconfig", here]), "is a folder; name a file in it"),
        (
            cluster(&["--kubeconfig", &kubeconfig, "--data", &file]),
            "choose another folder with --data",
        ),
        (format!("controller --kubeconfig {nowhere}"), "no/kubeconfig cannot be read"),
        (format!("controller --kubeconfig {file}"), "is not a kubeconfig: "),
        (format!("list rollouts --kubeconfig {file}"), "is not a kubeconfig: "),
        (format!("rehearse {file}"), "file:2:7: "),
        (format!("rehearse {nowhere}"), "no/kubeconfig cannot be read"),
        (format!("demo --port {port}"), "choose another with --port"),
    ] {
        let mut command = Command::new(PROGRAM);
        let said = ask(command.args(arguments.split(' ')), "").fails(2);
        assert!(said.contains(words), "{arguments}: {said}");
        assert!(!said.contains("panicked"), "{arguments}: {said}");
    }
}

/// The status line and body of the answer to a request written byte by byte.
fn answer(cluster: &Cluster, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(&cluster.api).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    // The server may hang up on what is left of a request that it has refused.
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    let path = "/api/v1/namespaces/default/configmaps";
    let fixed = "host: here\r\nconnection: close\r\ncontent-type: application/json";
    format!("POST {path} HTTP/1.1\r\n{fixed}\r\n{headers}\r\n\r\n{body}").into_bytes()
}

#[test]
fn bodies_that_make_no_sense_are_refused() {
    let folder = Folder::new("bodies");
    let cluster = Cluster::start(&folder, &[]);
    let check = |body: &str, status: &str, words: &str| {
        let said = answer(&cluster, &post(&format!("content-length: {}", body.len()), body));
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
        assert!(said.contains(words), "{said}");
    };
    check("{\"a\":", "400", "json parse error");
    check(&"[".repeat(200_000), "400", "json parse error");
    check("[]", "400", "BadRequest");
    check("\u{feff}{}", "400", "json parse error");
    check(r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}"#, "400", "Secret");
    check(
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"A_b"}}"#,
        "422",
        "a lowercase RFC 1123 subdomain",
    );
    let huge = answer(&cluster, &post("content-length: 104857600\r\nexpect: 100-continue", ""));
    assert!(huge.starts_with("HTTP/1.1 413"), "{huge}");
}

#[test]
fn slow_clients_and_huge_bodies_keep_nobody_waiting() {
    let folder = Folder::new("slow");
    let cluster = Cluster::start(&folder, &[]);
    let half_open: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(&cluster.api).unwrap();
            stream.write_all(&post("content-length: 10", "{")).unwrap();
            stream
        })
        .collect();
    let mut huge = post("transfer-encoding: chunked", "");
    for _ in 0..100 {
        huge.extend_from_slice(b"100000\r\n");
        huge.resize(huge.len() + (1 << 20), b' ');
        huge.extend_from_slice(b"\r\n");
    }
    huge.extend_from_slice(b"0\r\n\r\n");
    let refused = answer(&cluster, &huge);
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");

    let mut other = TcpStream::connect(&cluster.api).unwrap();
    other.write_all(b"GET /readyz HTTP/1.1\r\nhost: here\r\n\r\n").unwrap();
    let status = BufReader::new(other).lines().next().unwrap().unwrap();
    assert_eq!(status, "HTTP/1.1 200 OK");
    drop(half_open);
}
