//! A client that does not read uses little memory of the system, and none after its deadline.

use std::{io::ErrorKind, time::Duration};

use engines::Role;
use engines_server::HttpSettings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{self, Server, ask, narrow, request, token};

const PATIENCE: Duration = Duration::from_secs(30);
/// Requests that are sent in one write.
const PIPELINED: usize = 200;

fn settings(write_s: u64) -> HttpSettings {
    let mut settings = HttpSettings { send_buffer_bytes: 64 << 10, ..HttpSettings::default() };
    settings.deadlines.write_s = write_s;
    settings
}

async fn pipeline(server: &Server) -> TcpStream {
    let mut stream = narrow(server).await;
    stream.write_all(&request("GET", "/openapi.json", &[], None).repeat(PIPELINED)).await.unwrap();
    stream
}

/// Returns the sum of a metric's samples that have this text in their labels.
async fn metric(server: &Server, name: &str, label: &str) -> usize {
    let operator = format!("Bearer {}", token("root", &[("t_system", Role::Admin)]));
    let answer = ask(server.address, "GET", "/metrics", &[("Authorization", &operator)], None).await;
    let text = String::from_utf8(answer.body).unwrap();
    let samples = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
    samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
}

/// Returns how many requests to `/openapi.json` got a response.
async fn answered(server: &Server) -> usize {
    metric(server, "engines_http_requests_total", "/openapi.json").await
}

#[tokio::test]
async fn the_system_buffers_little_of_pipelined_answers_that_nobody_reads() {
    let server = support::start_with(settings(60)).await;
    let size = ask(server.address, "GET", "/openapi.json", &[], None).await.body.len();
    let before = answered(&server).await;
    let _unread = pipeline(&server).await;
    sleep(Duration::from_secs(2)).await;
    let bytes = (answered(&server).await - before) * size;
    // Twice the send buffer, the reader's buffer, and the response that is being written.
    assert!(bytes > 0 && bytes <= (256 << 10) + size, "{bytes} bytes were answered to a client that reads nothing");
}

#[tokio::test]
async fn a_write_deadline_discards_what_was_not_sent() {
    let server = support::start_with(settings(1)).await;
    let mut unread = pipeline(&server).await;
    let closed = async {
        while metric(&server, "engines_http_connections ", "").await > 1 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("the connection was kept");
    // At most the data that arrived before are there. The rest is discarded by a reset.
    let mut buffer = vec![0; 64 << 10];
    let mut read = 0;
    let error = loop {
        match timeout(PATIENCE, unread.read(&mut buffer)).await.unwrap() {
            Ok(0) => panic!("an orderly end after {read} bytes"),
            Ok(bytes) => read += bytes,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(read < 64 << 10, "{read} bytes were still sent");
}

#[tokio::test]
async fn a_client_that_pauses_and_reads_on_gets_all_of_its_answers() {
    let server = support::start_with(settings(60)).await;
    let size = ask(server.address, "GET", "/openapi.json", &[], None).await.body.len();
    let mut paused = pipeline(&server).await;
    paused.write_all(&request("GET", "/openapi.json", &[("Connection", "close")], None)).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    let mut read = Vec::new();
    timeout(PATIENCE, paused.read_to_end(&mut read)).await.unwrap().expect("a reset");
    assert!(read.len() > (PIPELINED + 1) * size, "{} bytes", read.len());
}
