//! A service that a test starts.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use crate::sandbox::{Sandbox, signal};

/// Serves at a free port.
pub(crate) const LISTEN: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// A running service and its address. It is killed when this is dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: String,
    pub(crate) sandbox: Sandbox,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    pub(crate) fn start(sandbox: Sandbox, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = sandbox.command(arguments);
        command.envs(variables.iter().copied());
        command.stderr(File::create(sandbox.path("log")).unwrap());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on http://").unwrap().trim_end().to_owned();
        Self { child, address, sandbox }
    }

    /// Returns the standard error up to now.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.sandbox.path("log")).unwrap()
    }

    /// Sends a request with a key. Returns the status and the body of the response.
    pub(crate) fn request(&self, head: &str, secret: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub(crate) fn get(&self, path: &str, secret: &str) -> u16 {
        self.request(&format!("GET {path}"), secret, "").0
    }

    /// Ends the service with a signal. Returns its exit code.
    pub(crate) fn end(mut self, name: &str) -> Option<i32> {
        signal(&self.child, name);
        self.child.wait().unwrap().code()
    }
}
