//! Refuses connections of an address that has too many.

use http::StatusCode;
use tokio::net::TcpStream;

use super::own_answer;
use crate::{App, unread_body::wait_for_close};

const TEXT: &str = "your address has too many connections; retry later\n";

/// Responds to a connection with 503 before a request is read, and closes it.
pub(super) async fn refuse(app: &App, mut stream: TcpStream) {
    if own_answer::write(&mut stream, StatusCode::SERVICE_UNAVAILABLE, "retry-after: 1\r\n", TEXT).await.is_ok() {
        wait_for_close(stream, &app.settings().deadlines, app.shutdown()).await;
    }
}
