//! A load client that measures how fast a server delivers the messages of one thread to many followers.
//!
//! It opens SSE (or WebSocket) subscribers, posts messages one after the other, and prints one line of JSON: deliveries
//! per second, the server's CPU time per delivery, its memory per idle subscriber, and the number of missed messages.
//! Paths and bodies are arguments, so that other servers are measured with the same program:
//!
//!     cargo run --release --example stream_load -- --subscribe /sse/chat/demo --publish /chat/threads/demo/messages \
//!         --body '{"text":"@@{pad}"}' -H "Authorization: Bearer $TOKEN" -H 'X-Tenant-Id: t_acme' -H 'X-Env: dev' --pid $PID
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to people")]

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser, Clone)]
struct Args {
    /// The server's address.
    #[arg(long, default_value = "127.0.0.1:8080")]
    addr: String,
    /// The path that subscribers GET.
    #[arg(long)]
    subscribe: String,
    /// The path to which messages are POSTed.
    #[arg(long)]
    publish: Option<String>,
    /// The body of a message: `@@` marks it so that subscribers find it, `{pad}` is replaced by filler.
    #[arg(long, default_value = r#"{"text":"@@{pad}"}"#)]
    body: String,
    /// A header of every request, `Name: value`.
    #[arg(short = 'H', long)]
    header: Vec<String>,
    /// Subscribes over WebSocket.
    #[arg(long)]
    ws: bool,
    /// The number of subscribers.
    #[arg(long, default_value_t = 1000)]
    clients: u64,
    /// The number of messages.
    #[arg(long, default_value_t = 1000)]
    messages: u64,
    /// Bytes of filler.
    #[arg(long, default_value_t = 128)]
    pad: usize,
    /// The id of the server's process, for CPU time and memory (Linux).
    #[arg(long)]
    pid: Option<u32>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Arc::new(Args::parse());
    let (open, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let before = resident_kib(args.pid);
    for number in 0..args.clients {
        let (args, open, seen) = (Arc::clone(&args), Arc::clone(&open), Arc::clone(&seen));
        tokio::spawn(async move {
            if let Err(error) = subscriber(&args, &open, &seen).await
                && number < 3
            {
                eprintln!("subscriber {number}: {error}");
            }
        });
        if number % 64 == 63 {
            sleep(Duration::from_millis(2)).await;
        }
    }
    let limit = Instant::now() + Duration::from_secs(30);
    while open.load(Relaxed) < args.clients && Instant::now() < limit {
        sleep(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_millis(1500)).await;
    let clients = open.load(Relaxed).max(1);
    let idle = resident_kib(args.pid);
    let mut report = serde_json::json!({
        "clients": clients,
        "kib_per_idle_client": round(idle.saturating_sub(before) as f64 / clients as f64),
    });
    if let Some(path) = &args.publish {
        let (cpu, start) = (cpu_seconds(args.pid), Instant::now());
        publisher(&args, path).await?;
        let published = start.elapsed();
        let expected = args.messages * clients;
        let limit = Instant::now() + Duration::from_secs(30);
        while seen.load(Relaxed) < expected && Instant::now() < limit {
            sleep(Duration::from_millis(1)).await;
        }
        let took = start.elapsed().as_secs_f64();
        let delivered = seen.load(Relaxed);
        report["messages_per_s"] = round(args.messages as f64 / published.as_secs_f64()).into();
        report["deliveries_per_s"] = round(delivered as f64 / took).into();
        report["cpu_us_per_delivery"] = round((cpu_seconds(args.pid) - cpu) * 1e6 / delivered.max(1) as f64).into();
        report["missed"] = (expected - delivered.min(expected)).into();
    }
    println!("{report}");
    Ok(())
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Opens one subscription and counts the received marks.
async fn subscriber(args: &Args, open: &AtomicU64, seen: &AtomicU64) -> Result<()> {
    let mut socket = connect(&args.addr).await?;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: engines.v1\r\n";
    let kind = if args.ws { upgrade } else { "Accept: text/event-stream\r\n" };
    socket.write_all(request_head(args, "GET", &args.subscribe, kind).as_bytes()).await?;
    let mut buffer = vec![0; 4096];
    let mut length = socket.read(&mut buffer).await?;
    let status = String::from_utf8_lossy(&buffer[..length]).split(' ').nth(1).unwrap_or_default().to_owned();
    if status != if args.ws { "101" } else { "200" } {
        return Err(format!("the server answered {}", String::from_utf8_lossy(&buffer[..length])).into());
    }
    open.fetch_add(1, Relaxed);
    // A message's marks are `@@…@@`: two pairs of @.
    let (mut last, mut pairs) = (0, 0_u64);
    while length > 0 {
        for byte in &buffer[..length] {
            if *byte == b'@' && last == b'@' {
                pairs += 1;
                last = 0;
                if pairs % 2 == 0 {
                    seen.fetch_add(1, Relaxed);
                }
            } else {
                last = *byte;
            }
        }
        length = socket.read(&mut buffer).await?;
    }
    Ok(())
}

/// Posts all messages over one connection, each after the response to the previous one.
async fn publisher(args: &Args, path: &str) -> Result<()> {
    let mut socket = connect(&args.addr).await?;
    let body = args.body.replace("@@", "@@1@@").replace("{pad}", &"x".repeat(args.pad));
    let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let request = request_head(args, "POST", path, &length) + &body;
    let mut buffer = Vec::new();
    for _ in 0..args.messages {
        socket.write_all(request.as_bytes()).await?;
        buffer.clear();
        loop {
            if socket.read_buf(&mut buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let text = String::from_utf8_lossy(&buffer);
            let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
            if !head.contains(" 20") {
                return Err(format!("the server answered {text}").into());
            }
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if rest.len() >= length.unwrap_or(0) {
                break;
            }
        }
    }
    Ok(())
}

fn request_head(args: &Args, method: &str, path: &str, more: &str) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{more}", args.addr);
    for header in &args.header {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

async fn connect(addr: &str) -> Result<TcpStream> {
    for attempt in 0..20 {
        if let Ok(socket) = TcpStream::connect(addr).await {
            socket.set_nodelay(true)?;
            return Ok(socket);
        }
        sleep(Duration::from_millis(20 * (attempt + 1))).await;
    }
    Err(format!("nobody listens on {addr}").into())
}

/// Resident memory of a process; 0 where it cannot be read.
fn resident_kib(pid: Option<u32>) -> u64 {
    pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok())
        .and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
        })
        .unwrap_or(0)
}

/// User and system time of a process, in seconds (Linux counts in hundredths).
fn cpu_seconds(pid: Option<u32>) -> f64 {
    pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok())
        .and_then(|text| {
            let fields: Vec<_> = text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect();
            Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / 100.0)
        })
        .unwrap_or(0.0)
}
