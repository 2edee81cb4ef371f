//! Shell commands for a first try. `dev` prints them, and the page of `GET /` shows them.

/// The id of the thread and of the canvas that the commands use. `dev` creates both.
pub(crate) const DEMO_ID: &str = "demo";

/// Returns the commands, one line each with a comment before it. They use the variable `TOKEN`.
///
/// `base_rev` is the revision that the edit of the canvas is based on. The edit has a new idempotency key and a new path
/// each time, so that it can be pasted again.
pub(crate) fn commands(url: &str, base_rev: u64) -> String {
    let headers = "-H \"Authorization: Bearer $TOKEN\" -H 'X-Env: dev'";
    let json = "-H 'Content-Type: application/json'";
    format!(
        "# post a message\n\
         curl -sS {headers} {json} -d '{{\"text\":\"Hello\"}}' {url}/chat/threads/{DEMO_ID}/messages\n\n\
         # follow the thread, from its first message on\n\
         curl -sSN {headers} \"{url}/sse/chat/{DEMO_ID}?from=start\"\n\n\
         # edit the canvas\n\
         KEY=$(date +%s%N); curl -sS {headers} {json} -d '{{\"idempotency_key\":\"'$KEY'\",\"base_rev\":{base_rev},\
         \"on_conflict\":\"rebase\",\"ops\":[{{\"op\":\"set_token\",\"path\":\"/greeting_'$KEY'\",\"value\":\"Hello\"}}]}}' \
         {url}/canvas/{DEMO_ID}/commands\n\n\
         # show the canvas\n\
         curl -sS {headers} {url}/canvas/{DEMO_ID}\n"
    )
}
