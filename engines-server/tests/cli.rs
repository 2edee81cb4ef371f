//! The program on the command line.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

const SECRETS: [&str; 4] = ["AUTH_JWT_SIGNING", "ROOT_KEY", "SYSTEM_BOOTSTRAP_KEY", "SEAL_KEYS"];

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engines-server"));
    for secret in SECRETS {
        command.env_remove(secret).env_remove(format!("{secret}_FILE"));
    }
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running `dev`, and its output.
struct Dev {
    child: Child,
    said: String,
}

impl Dev {
    fn start(data: &Path) -> Self {
        let mut command = program();
        command.args(["dev", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        Self::of(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Waits until a process has printed how to use it.
    fn of(mut child: Child) -> Self {
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while said.matches("curl ").count() < 4 {
            assert!(lines.read_line(&mut said).unwrap() > 0, "ended early: {said}");
        }
        let dev = Self { child, said };
        // It responds only once it also handles signals.
        let mut probe = std::net::TcpStream::connect(dev.address()).unwrap();
        std::io::Write::write_all(&mut probe, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        probe.read_to_end(&mut Vec::new()).unwrap();
        dev
    }

    fn address(&self) -> &str {
        self.said.split("http://").nth(1).unwrap().split_whitespace().next().unwrap()
    }

    fn curls(&self) -> Vec<&str> {
        self.said.lines().filter(|line| line.contains("curl ")).collect()
    }

    fn token(&self) -> &str {
        self.said.lines().find_map(|line| line.strip_prefix("TOKEN=")).unwrap()
    }

    /// Runs a printed line in a shell that has the printed token.
    fn paste(&self, line: &str) -> Value {
        paste(&format!("TOKEN={}\n{line}", self.token()))
    }

    /// Stops it as Ctrl-C does.
    fn stop(mut self) {
        let killed = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn paste(line: &str) -> Value {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn the_printed_dev_commands_work_when_pasted_twice() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("engines-data");
    for round in 1..=2 {
        let dev = Dev::start(&data);
        let [post, follow, edit, show] = dev.curls()[..] else { panic!("{}", dev.said) };
        assert_eq!(dev.said.matches(dev.token()).count(), 1);
        let posted = dev.paste(post);
        assert_eq!(posted["seq"], round);
        let follow = format!("TOKEN={}\nexec {follow}", dev.token());
        let mut follower = Command::new("sh").args(["-c", &follow]).stdout(Stdio::piped()).spawn().unwrap();
        let mut seen = String::new();
        let mut lines = BufReader::new(follower.stdout.take().unwrap());
        while !seen.contains(posted["event_id"].as_str().unwrap()) {
            assert!(lines.read_line(&mut seen).unwrap() > 0, "{seen}");
        }
        follower.kill().unwrap();
        follower.wait().unwrap();
        for paste in [1, 2] {
            let edited = dev.paste(edit);
            let rev = 2 * (round - 1) + paste;
            assert_eq!((&edited["rev"], &edited["replayed"]), (&rev.into(), &false.into()), "{edited}");
            assert_eq!(dev.paste(show)["head_rev"], rev);
        }
        // `token` finds the secret that `dev` has created.
        let minted = run(&[
            "token",
            "--tenant",
            "t_acme",
            "--role",
            "viewer",
            "--user",
            "eve",
            "--data",
            data.to_str().unwrap(),
        ]);
        let token = String::from_utf8(minted.stdout).unwrap();
        let look = format!(
            "curl -sS -H 'Authorization: Bearer {}' -H 'X-Env: dev' http://{}/canvas/demo",
            token.trim(),
            dev.address()
        );
        assert_eq!(paste(&look)["head_rev"], 2 * round);
        // A second server on the same data gets an error.
        let other = run(&["dev", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        assert!(complaint(&other).contains("another process"), "{other:?}");
        dev.stop();
    }
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(data.join("signing-secret")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_commands_of_the_page_work_when_pasted() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path());
    let page = format!("curl -sS -H 'Accept: text/html' http://{}/", dev.address());
    let page = Command::new("sh").args(["-c", &page]).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    let commands = page.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap();
    let commands = commands.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
    let script = commands.replace("TOKEN=…", &format!("TOKEN={}", dev.token())).replace("curl -sSN", "curl -sSN -m 1");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    // The message, the message again with its id in the followed stream, the edit, and the canvas.
    for part in ["\"text\":\"Hello\"", "\nid: ", "\"status\":\"applied\",\"rev\":1", "\"head_rev\":1"] {
        assert!(said.contains(part), "{part} is missing: {said}\n{output:?}");
    }
    assert_eq!(said.matches("\"text\":\"Hello\"").count(), 2, "{said}");
}

#[test]
fn cli_errors_are_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    assert!(complaint(&run(&["serve", "--data", data])).contains("AUTH_JWT_SIGNING"));
    let short = program().args(["serve", "--data", data]).env("AUTH_JWT_SIGNING", "short").output().unwrap();
    assert!(complaint(&short).contains("at least 32 bytes"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(complaint(&run(&["dev", "--listen", &address, "--data", data])).contains("is in use"));
    let config = folder.path().join("engines.toml");
    fs::write(&config, "lisen = 1").unwrap();
    assert!(complaint(&run(&["dev", "--config", config.to_str().unwrap(), "--data", data])).contains("lisen"));
    let nobody = program()
        .args(["token", "--tenant", "acme", "--user", "eve"])
        .env("AUTH_JWT_SIGNING", "5f1c09b7e2d84a36c7f0a1e95b3d6842")
        .output()
        .unwrap();
    assert!(complaint(&nobody).contains("t_"), "{nobody:?}");
    assert!(
        complaint(&run(&["token", "--tenant", "t_acme", "--user", "eve", "--data", "/no/such"]))
            .contains("signing secret")
    );
    let help = run(&["--help"]);
    for word in ["dev", "serve", "token"] {
        assert!(String::from_utf8_lossy(&help.stdout).contains(word));
    }
}

#[test]
fn a_stream_does_not_keep_the_server_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path());
    let token = dev.token().to_owned();
    let mut stream = TcpStream::connect(dev.address()).unwrap();
    let text = format!("GET /sse/chat/demo HTTP/1.1\r\nHost: x\r\nX-Env: dev\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    dev.stop();
    let mut rest = Vec::new();
    // The connection ends orderly, without a reset, and the response announced the end.
    stream.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.contains("connection: close") && rest.ends_with("retry: 1500\n\n"), "{rest}");
}

#[test]
fn accounts_survive_a_restart_and_another_root_key_is_rejected() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("engines-data");
    let credentials = "{\"email\":\"ada@example.org\",\"password\":\"plum-Lantern-77 quiet\"}";
    let mut user = Value::Null;
    for path in ["signup", "login"] {
        let dev = Dev::start(&data);
        let line = format!(
            "curl -sS -H 'Content-Type: application/json' -d '{credentials}' http://{}/auth/{path}",
            dev.address()
        );
        let tokens = paste(&line);
        assert!(tokens["user"]["user_id"].is_string(), "{tokens}");
        assert!(user.is_null() || user == tokens["user"]["user_id"]);
        user = tokens["user"]["user_id"].clone();
        dev.stop();
    }
    assert_eq!(fs::metadata(data.join("root.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let other = ["dev", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let other = program().args(other).env("ROOT_KEY", "5f1c09b7e2d84a36c7f0a1e95b3d6842").output().unwrap();
    assert!(complaint(&other).contains("root key"), "{other:?}");
    let left: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
}

/// Sends a request on a persistent connection, and returns the status of the response.
fn exchange(stream: &mut TcpStream, request: &str) -> u16 {
    stream.write_all(request.as_bytes()).unwrap();
    let (mut lines, mut line, mut length) = (BufReader::new(stream), String::new(), 0);
    lines.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    while line != "\r\n" {
        line.clear();
        lines.read_line(&mut line).unwrap();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    lines.read_exact(&mut vec![0; length]).unwrap();
    status
}

#[test]
fn the_soft_descriptor_limit_is_raised_and_some_are_reserved_for_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    // A soft limit at which the store alone could hardly start, below a hard limit for 200 connections.
    let line = "ulimit -Sn 40 && ulimit -Hn 400 && exec \"$0\" dev --listen 127.0.0.1:0 --data \"$1\"";
    let mut command = Command::new("sh");
    for secret in SECRETS {
        command.env_remove(secret).env_remove(format!("{secret}_FILE"));
    }
    command.args(["-c", line, env!("CARGO_BIN_EXE_engines-server")]).arg(folder.path().join("data"));
    command.stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap());
    let dev = Dev::of(command.spawn().unwrap());

    let token = dev.token().to_owned();
    let post = format!(
        "POST /chat/threads/demo/messages HTTP/1.1\r\nHost: x\r\nX-Env: dev\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{{\"text\":\"x\"}}"
    );
    let mut known = TcpStream::connect(dev.address()).unwrap();
    assert_eq!(exchange(&mut known, &post), 201);
    // It was logged before the first connection was accepted.
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("\"descriptors\":400,\"max_connections\":200"), "{said}");
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(dev.address()).unwrap();
        stream.write_all(b"P").unwrap();
        silent.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(exchange(&mut known, &post), 201, "{}", fs::read_to_string(&log).unwrap());
        let mut new = TcpStream::connect(dev.address()).unwrap();
        assert_eq!(exchange(&mut new, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    }
    drop(silent);
    dev.stop();
}

#[test]
fn data_without_its_root_key_is_rejected_and_no_key_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("engines-data");
    Dev::start(&data).stop();
    let (key, away) = (data.join("root.key"), folder.path().join("root.key"));
    fs::rename(&key, &away).unwrap();
    let start = ["dev", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    for _ in 0..2 {
        let refused = complaint(&run(&start));
        assert!(refused.contains("root.key is missing") && refused.contains("from a backup"), "{refused}");
        assert!(!key.exists());
    }
    fs::rename(&away, &key).unwrap();
    Dev::start(&data).stop();
    // There is only a key, and a mark that there were data.
    fs::remove_file(data.join("engines.db")).unwrap();
    let refused = complaint(&run(&start));
    assert!(refused.contains("engines.db.created"), "{refused}");
    // With a key alone, the server creates new data.
    fs::remove_file(data.join("engines.db.created")).unwrap();
    Dev::start(&data).stop();
}

#[test]
fn data_readable_by_others_is_rejected_or_made_private() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("engines-data");
    let mode = |name: &str| fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    let set = |name: &str, mode| fs::set_permissions(data.join(name), fs::Permissions::from_mode(mode)).unwrap();
    Dev::start(&data).stop();
    let start = ["dev", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    for (name, own, others) in
        [("", 0o700, 0o020), ("", 0o700, 0o002), ("root.key", 0o600, 0o004), ("signing-secret", 0o600, 0o040)]
    {
        set(name, own | others);
        let refused = complaint(&run(&start));
        assert!(refused.contains("run `chmod go= ") && refused.contains("allow_readable_secrets"), "{refused}");
        set(name, own);
    }
    set("engines.db", 0o644);
    let dev = Dev::start(&data);
    for name in ["engines.db", "engines.db-wal", "engines.db-shm", "engines.db.lock", "engines.db.created"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    dev.stop();
}
