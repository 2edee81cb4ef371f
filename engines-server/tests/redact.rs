//! `engines-server redact` in pipes.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Output, Stdio},
    thread,
};

use serde_json::{Value, json};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engines-server"));
    // It needs no settings, no secret and no data folder.
    command.env_clear().arg("redact").args(arguments);
    command
}

fn piped(arguments: &[&str], input: &[u8]) -> Output {
    let mut child =
        program(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = thread::spawn(move || {
        // It may have stopped reading already.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn redacted(arguments: &[&str], input: &str) -> String {
    let output = piped(arguments, input.as_bytes());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns a text in the form of a private key, which is not a key.
fn pem(lines: usize) -> String {
    let line = "aZ3kQ9xV7bN1mR5tY8wE2uI6oP4sD0fGhJaZ3kQ9xV7bN1mR5tY8wE2uI6oP4sD0\n".repeat(lines);
    format!("-----BEGIN {kind}-----\n{line}-----END {kind}-----", kind = "RSA PRIVATE KEY")
}

#[test]
fn text_is_streamed_and_findings_across_lines_and_chunks_are_redacted() {
    assert_eq!(redacted(&[], "mail ana@example.org\nor not"), "mail [EMAIL_ADDRESS]\nor not");
    assert_eq!(redacted(&[], ""), "");
    let key = pem(40);
    // The key lies across the border of two reads.
    for before in [0, 262_000, 262_140, 300_000] {
        let before = "nothing here at all\n".repeat(before / 20);
        let expected = format!("{before}[SECRET_PRIVATE_KEY]\nend\n");
        assert_eq!(redacted(&[], &format!("{before}{key}\nend\n")), expected);
    }
}

#[test]
fn lines_of_json_stay_json_and_their_keys_are_context() {
    let input =
        "{\"dob\": \"1980-05-17\", \"n\":4111111111111111}\n[INFO] from ana@example.org\n[\"a\"]\n{\"open\": \n";
    let expected =
        "{\"dob\": \"[DATE_OF_BIRTH]\", \"n\":\"[CREDIT_CARD]\"}\n[INFO] from [EMAIL_ADDRESS]\n[\"a\"]\n{\"open\": \n";
    assert_eq!(redacted(&[], input), expected);
    // A key between lines of JSON is text as well.
    let mixed = format!("{{\"a\":1}}\n{}\n{{\"b\":\"ana@example.org\"}}", pem(3));
    assert_eq!(redacted(&[], &mixed), "{\"a\":1}\n[SECRET_PRIVATE_KEY]\n{\"b\":\"[EMAIL_ADDRESS]\"}");
    // As one text, without the help of keys.
    assert!(redacted(&["--format", "text"], "{\"n\":4111111111111111}\n").starts_with("{\"n\":[CREDIT_CARD]}"));
    // A line that never ends is text.
    let long = format!("{{{} ana@example.org", "x ".repeat(9 << 20));
    assert!(redacted(&[], &long).ends_with("x  [EMAIL_ADDRESS]"));
}

#[test]
fn every_mode_and_a_policy_file_apply() {
    let input = "card 4111 1111 1111 1111\n";
    assert_eq!(redacted(&["--mode", "partial"], input), "card [CREDIT_CARD:1111]\n");
    assert_eq!(redacted(&["--mode", "drop"], input), "card \n");
    let folder = tempfile::tempdir().unwrap();
    let [key, policy, text] = ["key", "policy.json", "text"].map(|name| folder.path().join(name));
    fs::write(&key, "0123456789abcdef\n").unwrap();
    let token = |key: &str| redacted(&["--mode", "pseudonym", "--key-file", key], "ana@example.org");
    assert_eq!(token(key.to_str().unwrap()), token(key.to_str().unwrap()));
    let keyless = || redacted(&["--mode", "pseudonym"], "ana@example.org");
    assert_ne!(keyless(), keyless(), "a key that nobody gave must not be one that everybody knows");
    fs::write(&policy, json!({ "deny": ["Nightfall"], "allow": ["@example.org"] }).to_string()).unwrap();
    fs::write(&text, "Nightfall: ana@example.org, bob@example.com").unwrap();
    let [policy, text] = [&policy, &text].map(|path| path.to_str().unwrap());
    assert_eq!(redacted(&["--policy", policy, text], ""), "[DENY_LIST]: ana@example.org, [EMAIL_ADDRESS]");
    fs::write(&key, "short").unwrap();
    assert!(complaint(&piped(&["--key-file", key.to_str().unwrap()], b"")).contains("at least 16 bytes"));
    assert!(complaint(&piped(&["/no/such/file"], b"")).contains("/no/such/file"));
}

#[test]
fn invalid_utf8_is_never_passed_through() {
    let output = piped(&[], b"\xff\xfe not at the start \xff\n ana@example.org \xc3");
    assert!(complaint(&output).contains("UTF-16"), "{output:?}");
    let output = piped(
        &[],
        b"x \xff\xfe ana@example.org \xc3\x28 {\"\xff\": \"ana@example.org\"}\n{\"\xff\":\"ana@example.org\"}",
    );
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("[EMAIL_ADDRESS]").count(), 3, "{text}");
    assert!(!text.contains("ana"), "{text}");
}

#[test]
fn reports_say_where_in_bytes() {
    let input = "{\"id\": 7, \"text\": \"\u{e9} ana@example.org\", \"more\": 1}\n\n{\"id\":\"x\",\"text\":\"\\u00e9 \\u0061na@example.org\"}\n{\"id\":null,\"text\":\"\"}";
    let report = redacted(&["--report"], input);
    let lines: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let finding =
        json!([{ "entity": "EMAIL_ADDRESS", "start": 3, "end": 18, "score": lines[0]["findings"][0]["score"] }]);
    assert_eq!(lines[0], json!({ "id": 7, "findings": finding }));
    assert_eq!(lines[1], json!({ "id": "x", "findings": finding }));
    assert_eq!(lines[2], json!({ "id": null, "findings": [] }));
    assert!(lines[0]["findings"][0]["score"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)));
    for wrong in [
        "{\"id\":1}",
        "ana@example.org",
        "{\"id\":1,\"text\":\"ana@example.org\"",
        "{\"id\":1,\"text\":{\"a\":\"ana@example.org\"}}",
    ] {
        let said = complaint(&piped(&["--report"], format!("{{\"id\":0,\"text\":\"\"}}\n{wrong}\n").as_bytes()));
        assert!(said.contains("line 2") && !said.contains("ana"), "{said}");
    }
}

#[test]
fn a_closed_output_pipe_ends_the_command_without_an_error() {
    let mut child = program(&[]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || while stdin.write_all(&[b'a', b' '].repeat(1 << 16)).is_ok() {});
    let mut first = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    // The output of the program is closed now.
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn each_json_line_is_written_before_the_next_is_read() {
    let mut child = program(&[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    for round in 0..3 {
        writeln!(stdin, "{{\"round\":{round},\"to\":\"ana@example.org\"}}").unwrap();
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{{\"round\":{round},\"to\":\"[EMAIL_ADDRESS]\"}}\n"));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn sealed_values_are_restored_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (key, other) = (file("key", &[7; 32]), file("other", &[8; 32]));
    let text = "mail ana@example.org [EMAIL_ADDRESS] [x\n{\"card\": 4242424242424242, \"password\":\"a\\\"b\\\\c9!kQ\", \"k\":1.50}\n\nend 4242 4242 4242 4242";
    let sealed = redacted(&["--mode", "seal", "--key-file", &key], text);
    for value in ["ana@", "4242", "c9!kQ"] {
        assert!(!sealed.contains(value), "{sealed}");
    }
    // The number is restored as a text, and all else is unchanged.
    let expected = text.replace("4242424242424242,", "\"4242424242424242\",");
    assert_eq!(redacted(&["--open", "--key-file", &key], &sealed), expected);
    assert_eq!(redacted(&["--open", "--key-file", &key], "nothing sealed\r\n"), "nothing sealed\r\n");
    let wrong = piped(&["--open", "--key-file", &other], format!("one\n{sealed}").as_bytes());
    let told = complaint(&wrong);
    assert!(told.contains("line 2") && !told.contains("EMAIL"), "{told}");
    // The key of a tenant differs, and is derived from the same file.
    let of_tenant = redacted(&["--mode", "seal", "--key-file", &key, "--tenant", "t_acme"], text);
    assert_ne!(of_tenant, sealed);
    assert_eq!(redacted(&["--open", "--key-file", &key, "--tenant", "t_acme"], &of_tenant), expected);
    complaint(&piped(&["--open", "--key-file", &key], of_tenant.as_bytes()));
    // Without a key, nothing is sealed.
    assert!(complaint(&piped(&["--mode", "seal"], b"ana@example.org")).contains("--key-file"));
    assert!(!piped(&["--open"], b"").status.success());
}
