//! Runs a future of a command.

use std::time::Duration;

use super::error::CliError;

/// How long the runtime waits for work that is still running when the program ends.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs a future on a runtime of its own. Work that is still running afterwards, such as a call that hangs, is
/// abandoned.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(future);
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN_TIMEOUT);
    done
}
