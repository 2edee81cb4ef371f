//! A load client that measures how failed logins against one account affect other callers.
//!
//! It sends requests at a steady rate, alternately alone and beside a flood of failed logins, and prints one line of
//! JSON: the latencies of both phases and the answers to the logins. A request's latency counts from the time it was
//! due, so that a server that stalls is not asked less.
//!
//!     cargo run --release --example login_load -- --email ada@example.org --post /chat/threads/t/messages \
//!         --get /chat/threads/t \
//!         -H "Authorization: Bearer $TOKEN" -H 'X-Tenant-Id: t_acme' -H 'X-Env: dev'
#![expect(clippy::print_stdout, reason = "an example speaks to people")]

use std::{
    collections::BTreeMap,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep_until, timeout},
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser, Clone)]
struct Args {
    /// The server's address.
    #[arg(long, default_value = "127.0.0.1:8080")]
    addr: String,
    /// The account that is attacked.
    #[arg(long)]
    email: String,
    /// The path of the other callers' GETs.
    #[arg(long)]
    get: String,
    /// The path of the other callers' POSTs of messages.
    #[arg(long)]
    post: String,
    /// A header of the other callers' requests, `Name: value`.
    #[arg(short = 'H', long)]
    header: Vec<String>,
    /// Failed logins per second.
    #[arg(long, default_value_t = 200)]
    logins: u32,
    /// GETs per second; a tenth as many POSTs are sent beside them.
    #[arg(long, default_value_t = 400)]
    rate: u32,
    /// The number of phases of each kind.
    #[arg(long, default_value_t = 5)]
    turns: u32,
    /// The seconds of one phase.
    #[arg(long, default_value_t = 5)]
    seconds: u32,
}

/// One persistent connection.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn open(addr: &str) -> Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request and reads the response; returns its status.
    async fn send_request(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed".into());
            }
            let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..end])?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if self.buffer.len() >= end + 4 + length.unwrap_or("0").parse::<usize>()? {
                return Ok(head.get(9..12).unwrap_or_default().parse()?);
            }
        }
    }
}

fn request(method: &str, path: &str, headers: &[String], body: &str) -> Arc<[u8]> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
        .into()
}

/// Latencies in microseconds, and the number of responses by status.
#[derive(Default)]
struct LatencyReport {
    micros: Vec<u64>,
    statuses: BTreeMap<u16, u64>,
}

impl LatencyReport {
    fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
    }

    /// The latency that `part` per thousand of the requests do not exceed.
    fn quantile(&mut self, part: usize) -> u64 {
        self.micros.sort_unstable();
        let at = (self.micros.len() * part / 1000).min(self.micros.len().saturating_sub(1));
        self.micros.get(at).copied().unwrap_or_default()
    }

    fn report(&mut self) -> Value {
        let [p50, p99, p999] = [500, 990, 999].map(|part| self.quantile(part));
        json!({ "p50_us": p50, "p99_us": p99, "p999_us": p999, "statuses": self.statuses })
    }
}

/// Sends `rate` requests per second over some connections, each when it is due.
async fn send_at_rate(addr: String, request: Arc<[u8]>, rate: u32, lasts: Duration) -> Result<LatencyReport> {
    const CONNECTIONS: u32 = 16;
    let begun = Instant::now() + Duration::from_millis(50);
    let mut workers = JoinSet::new();
    for worker in 0..CONNECTIONS {
        let (addr, request) = (addr.clone(), Arc::clone(&request));
        workers.spawn(async move {
            let mut client = Client::open(&addr).await?;
            let mut seen = LatencyReport::default();
            for nth in (worker..).step_by(CONNECTIONS as usize) {
                let due = Duration::from_secs(1) * nth / rate;
                if due >= lasts {
                    break;
                }
                sleep_until((begun + due).into()).await;
                let status = timeout(Duration::from_secs(30), client.send_request(&request)).await??;
                seen.micros.push(u64::try_from((begun + due).elapsed().as_micros())?);
                *seen.statuses.entry(status).or_default() += 1;
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(seen)
        });
    }
    let mut all = LatencyReport::default();
    while let Some(seen) = workers.join_next().await {
        all.add(seen??);
    }
    Ok(all)
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let lasts = Duration::from_secs(args.seconds.into());
    let get = request("GET", &args.get, &args.header, "");
    let post = request("POST", &args.post, &args.header, r#"{"text":"hello"}"#);
    let wrong = json!({ "email": args.email, "password": "not the password" }).to_string();
    let wrong = request("POST", "/auth/login", &[], &wrong);
    let run =
        |request: &Arc<[u8]>, rate| tokio::spawn(send_at_rate(args.addr.clone(), Arc::clone(request), rate, lasts));

    // Warms up caches, pages and pools, whose cost would fall on the first phase.
    run(&get, args.rate).await??;
    run(&post, args.rate / 10).await??;
    let mut gets = [LatencyReport::default(), LatencyReport::default()];
    let mut posts = [LatencyReport::default(), LatencyReport::default()];
    let mut logins = LatencyReport::default();
    for turn in 0..args.turns * 2 {
        // The order alone, beside, beside, alone distributes a drift evenly over both kinds.
        let beside = usize::from((turn + 1) % 4 >= 2);
        let flood = (beside == 1).then(|| run(&wrong, args.logins));
        let (get, post) = (run(&get, args.rate), run(&post, args.rate / 10));
        gets[beside].add(get.await??);
        posts[beside].add(post.await??);
        if let Some(flood) = flood {
            logins.add(flood.await??);
        }
    }
    let ratio = |seen: &mut [LatencyReport; 2]| {
        let [alone, beside] = seen;
        #[expect(clippy::cast_precision_loss, reason = "microseconds")]
        let ratio = beside.quantile(990) as f64 / alone.quantile(990).max(1) as f64;
        (ratio * 100.0).round() / 100.0
    };
    let ratios = (ratio(&mut gets), ratio(&mut posts));
    let [get_alone, get_beside] = gets.each_mut().map(LatencyReport::report);
    let [post_alone, post_beside] = posts.each_mut().map(LatencyReport::report);
    println!(
        "{}",
        json!({
            "get": { "alone": get_alone, "beside": get_beside, "p99_ratio": ratios.0 },
            "post": { "alone": post_alone, "beside": post_beside, "p99_ratio": ratios.1 },
            "logins": logins.report(),
        })
    );
    Ok(())
}
