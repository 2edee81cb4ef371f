//! A server process.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{net::TcpStream, time::sleep};

use crate::client::Client;

const SECRET: &str = "a secret of the black-box tests, long enough";

/// A server with its own folder. It is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    data: PathBuf,
    variables: Vec<(String, String)>,
    pub(crate) addr: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts it with more environment variables.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_owned();
        Self::start_on(folder, data, variables).await
    }

    /// Starts it on a data folder inside `folder`, which is removed with the server.
    pub(crate) async fn start_on(folder: TempDir, data: PathBuf, variables: &[(&str, &str)]) -> Self {
        // The port is free now, and most likely still free when the server binds it.
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let child = spawn(&addr, &data, &variables);
        let server = Self { child, folder, data, variables, addr };
        server.wait().await;
        server
    }

    /// Returns the folder that is removed with the server.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again on the same data.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.addr, &self.data, &self.variables);
        self.wait().await;
    }

    /// Sends SIGTERM. Returns whether the server ended with success.
    pub(crate) async fn stop(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        for _ in 0..3000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("the server did not stop");
    }

    async fn wait(&self) {
        for _ in 0..3000 {
            if TcpStream::connect(&self.addr).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("the server did not start");
    }

    /// Creates a token with the secret of this server.
    pub(crate) fn token(&self, user: &str, role: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_engines-server"))
            .args(["token", "--tenant", "t_acme", "--role", role, "--user", user])
            .env("AUTH_JWT_SIGNING", SECRET)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn client(&self, user: &str) -> Client {
        Client::new(self.addr.clone(), self.token(user, "member"))
    }
}

fn spawn(addr: &str, folder: &Path, variables: &[(String, String)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_engines-server"))
        .args(["serve", "--listen", addr, "--data"])
        .arg(folder)
        .env("AUTH_JWT_SIGNING", SECRET)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
