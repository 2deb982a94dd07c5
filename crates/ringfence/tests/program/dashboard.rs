//! The page of a cluster, and who may look at it.

use crate::support::{CANARY, Cluster, Folder, Running, Speaks};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// The whole answer to a request for `path`.
fn get(host: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[track_caller]
fn check(answer: &str, status: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
}

#[test]
fn the_page_opens_with_the_ticket_that_was_printed_and_with_nothing_else() {
    let folder = Folder::new("page");
    let cluster = Cluster::start(&folder, &[]);
    let none = cluster.ringfence("dashboard -p 0").fails(2);
    assert!(none.contains("there is no rollout in namespace default"), "{none}");
    let file = folder.file("rollout.json");
    std::fs::write(&file, CANARY).unwrap();
    cluster.ringfence(&format!("create -f {file}")).ok();
    let mut page = Running::start(&mut cluster.client("dashboard -p 0"), Speaks::Output);
    let link = page.after("now available at http://");
    let (host, rest) = link.split_once('/').unwrap();
    let (path, secret) = rest.split_once("?ticket=").unwrap();
    assert_eq!((path, secret.len()), ("rollouts/", 32));

    check(&get(host, "/rollouts/", ""), "401");
    check(&get(host, "/rollouts/api/v1/state", "cookie: ringfence=1\r\n"), "401");
    check(&get(host, "/rollouts/?ticket=0", ""), "401");
    let exchanged = get(host, &format!("/rollouts/?ticket={secret}"), "");
    check(&exchanged, "303");
    let cookie = exchanged.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.ends_with("; Path=/rollouts; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = format!("cookie: {}\r\n", cookie.split(';').next().unwrap());
    check(&get(host, "/rollouts", &cookie), "303");
    let opened = get(host, "/rollouts/", &cookie);
    check(&opened, "200");
    assert!(opened.contains("<title>Ringfence</title>"), "{opened}");
    check(&get(host, "/rollouts/assets/page.js", &cookie), "200");
    assert_eq!(page.terminate().code(), Some(0));
}
