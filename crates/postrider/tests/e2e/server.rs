//! One data folder with its configuration, and the commands on it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A folder with a configuration; its server runs when started, and ends with this.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    process: Option<Child>,
}

impl Server {
    /// Nothing runs yet. Port 0 lets the system choose.
    pub(crate) fn new() -> Self {
        let server = Self {
            folder: tempfile::tempdir().unwrap(),
            process: None,
        };
        server.configure("listen = [\"127.0.0.1:0\"]");
        server
    }

    /// Writes the configuration, with `more` at its end.
    pub(crate) fn configure(&self, more: &str) {
        let user = if more.contains("user =") {
            ""
        } else {
            "user = \"root\"\n"
        };
        let text = format!(
            "hostname = \"mx.example.org\"\ndomains = [\"example.org\"]\ndata = \"data\"\n{user}{more}\n"
        );
        std::fs::write(self.config(), text).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("postrider.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts `serve` and waits until it listens on `listeners` addresses.
    pub(crate) fn start(&mut self) {
        let log = File::create(self.folder.path().join("log")).unwrap();
        let process = program(self.folder.path())
            .args(["serve", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        wait_for(
            "the server is ready",
            || self.log().contains("ready"),
            || self.log(),
        );
    }

    /// Where it listens, as the log says; the last address told is the last one opened.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let log = self.log();
        let told = log
            .lines()
            .filter_map(|line| line.split_once("listening address="));
        told.map(|(_, address)| address.trim().to_owned()).collect()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = self.process.as_ref().unwrap().id();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(id).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(&mut self) -> i32 {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let status = self.process.take().unwrap().wait().unwrap();
        status.code().unwrap_or(-1)
    }

    /// One command on this configuration.
    pub(crate) fn run(&self, line: &str) -> Said {
        self.run_with(line, "")
    }

    /// One command that reads `input`.
    pub(crate) fn run_with(&self, line: &str, input: &str) -> Said {
        let mut command = program(self.folder.path());
        command
            .args(line.split_whitespace())
            .arg("--config")
            .arg(self.config());
        run(command, input)
    }

    pub(crate) fn add_account(&self, address: &str) {
        let said = self.run_with(&format!("account add {address}"), "correct horse\n");
        assert_eq!(said.code, 0, "{said:?}");
    }

    /// What a command prints with `--json`.
    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        let said = self.run(&format!("{line} --json"));
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Sends a message to one recipient; answers the last reply.
    pub(crate) fn send(&self, to: &str, body: &str) -> String {
        let address = self.addresses().pop().expect("it listens");
        send(&address, to, body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program, called within `folder`.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn run(mut command: Command, input: &str) -> Said {
    let mut process = command.stdin(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may have ended already.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    let Output {
        status,
        stdout,
        stderr,
    } = process.wait_with_output().unwrap();
    Said {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

pub(crate) fn send(address: &str, to: &str, body: &str) -> String {
    send_from(address, "ann@client.example.net", to, body)
}

pub(crate) fn send_from(address: &str, from: &str, to: &str, body: &str) -> String {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    stream
        .get_ref()
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut reply = last_line(&mut stream);
    let data = format!("{body}\r\n.");
    let mail = format!("MAIL FROM:<{from}>");
    let rcpt = format!("RCPT TO:<{to}>");
    for line in ["EHLO client.example.net", &mail, &rcpt, "DATA", &data] {
        assert!(reply.starts_with(['2', '3']), "{reply} before {line}");
        stream
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        reply = last_line(&mut stream);
    }
    reply
}

/// The last line of a reply.
pub(crate) fn last_line(stream: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        stream.by_ref().take(1000).read_line(&mut line).unwrap();
        if line.as_bytes().get(3) != Some(&b'-') {
            return line;
        }
    }
}

/// Looks until `done`, or for ten seconds.
pub(crate) fn wait_for(what: &str, done: impl Fn() -> bool, show: impl Fn() -> String) {
    for _ in 0..500 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("waited in vain until {what}:\n{}", show());
}
