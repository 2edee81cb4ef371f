//! Options of client sockets, which limit how much memory of the system they use and for how long.

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::settings::HttpSettings;

/// How many write deadlines the system waits for a client that acknowledges or reads nothing. It is more than one, so
/// that the server's own deadlines end the connection first.
const UNACKNOWLEDGED_DEADLINES: u32 = 2;

/// Sets the options of a socket that was just accepted.
///
/// Without a limit, the system lets the send buffer of one socket grow to megabytes when its client does not read. It
/// keeps the buffer after an orderly close until the client reads or the system gives up.
pub(crate) fn prepare(stream: &TcpStream, settings: &HttpSettings) {
    let socket = SockRef::from(stream);
    // Responses are written whole, so waiting for more would only delay them.
    let mut outcome = socket.set_tcp_nodelay(true);
    outcome = outcome.and(socket.set_send_buffer_size(settings.send_buffer_bytes));
    outcome = outcome.and(give_up_after(&socket, settings.deadlines.write() * UNACKNOWLEDGED_DEADLINES));
    if let Err(error) = outcome {
        tracing::debug!(%error, "options of a socket");
    }
}

/// Makes the system discard data that a client has not acknowledged for `limit`, also after the socket was closed.
#[cfg(target_os = "linux")]
fn give_up_after(socket: &SockRef<'_>, limit: Duration) -> std::io::Result<()> {
    socket.set_tcp_user_timeout(Some(limit))
}

#[cfg(not(target_os = "linux"))]
fn give_up_after(_: &SockRef<'_>, _: Duration) -> std::io::Result<()> {
    Ok(())
}

/// Sets whether closing the socket discards unsent data and resets the connection. It is on while a write waits for the
/// client. Whatever then ends the connection (a deadline, the end of the credential, a budget, the end of the process),
/// its data does not stay in the system's memory.
pub(crate) fn reset_on_close(stream: &TcpStream, reset: bool) {
    if let Err(error) = SockRef::from(stream).set_linger(reset.then_some(Duration::ZERO)) {
        tracing::debug!(%error, "SO_LINGER");
    }
}
