//! A client that does not read uses little memory of the system, and none after its deadline.

use std::{io::ErrorKind, time::Duration};

use engines::Role;
use engines_server::HttpSettings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{interval, sleep, timeout},
};

use crate::support::{
    self, Server, ask,
    http2::{DATA, END_STREAM, HEADERS, Http2, RST_STREAM, WINDOW_UPDATE},
    narrow, request, token,
};

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

/// Reads at most `bytes` every 100 ms. Returns whether the connection is open after `time`.
async fn survives(server: &Server, bytes: usize, time: Duration) -> bool {
    let mut stream = pipeline(server).await;
    let (mut buffer, mut ticks) = (vec![0; bytes], interval(Duration::from_millis(100)));
    let reads = async {
        loop {
            ticks.tick().await;
            if !matches!(stream.read(&mut buffer).await, Ok(1..)) {
                return;
            }
        }
    };
    timeout(time, reads).await.is_err()
}

#[tokio::test]
async fn a_client_that_takes_less_than_the_least_rate_of_an_answer_is_closed() {
    // Two thirds of 64 KiB within 2 s is the least.
    let server = support::start_with(settings(2)).await;
    assert!(!survives(&server, 500, PATIENCE).await, "5 KB/s");
    assert!(survives(&server, 20_000, Duration::from_secs(6)).await, "200 KB/s");
}

#[tokio::test]
async fn an_http2_stream_that_takes_less_than_the_least_rate_of_an_answer_is_reset() {
    let server = support::start_with(settings(2)).await;
    let size = ask(server.address, "GET", "/openapi.json", &[], None).await.body.len();
    // 16 KiB within 2 s is the least.
    for (bytes, is_served) in [(200_u32, false), (16_000, true)] {
        let mut connection = Http2::open(server.address, bytes).await;
        connection.request(1, "GET", "/openapi.json", &[], END_STREAM).await;
        assert_eq!(connection.until(HEADERS).await.status(), 200);
        let ended = async {
            let mut received = 0;
            loop {
                let frame = connection.next().await.unwrap();
                match frame.kind {
                    RST_STREAM => return false,
                    DATA => received += frame.payload.len(),
                    _ => {}
                }
                if received == size {
                    return true;
                }
                sleep(Duration::from_millis(100)).await;
                for stream in [0, 1] {
                    connection.send(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes()).await;
                }
            }
        };
        assert_eq!(timeout(PATIENCE * 2, ended).await.unwrap(), is_served, "{bytes} bytes each 100 ms");
    }
}
