//! A whole mail system with one command.

use std::fs::File;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::server::{program, run, send, wait_for};

struct Quickstart {
    folder: TempDir,
    process: Option<Child>,
}

impl Quickstart {
    fn start(&mut self) -> String {
        let file = self.folder.path().join("said");
        let out = File::create(&file).unwrap();
        let mut command = program(self.folder.path());
        command.args(["quickstart", "--listen", "127.0.0.1:0"]);
        command
            .stdin(Stdio::null())
            .stderr(out.try_clone().unwrap())
            .stdout(out);
        self.process = Some(command.spawn().unwrap());
        let said = || std::fs::read_to_string(&file).unwrap();
        wait_for("it serves", || said().contains("until Ctrl-C"), said);
        said()
    }

    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap());
        kill(pid, Signal::SIGINT).unwrap();
        assert!(process.wait().unwrap().success());
    }

    fn command(&self, line: &str) -> String {
        let mut command = program(self.folder.path());
        command.args(line.split_whitespace());
        run(command, "").out
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[test]
fn it_shows_a_first_message_and_keeps_the_data() {
    let mut quickstart = Quickstart {
        folder: tempfile::tempdir().unwrap(),
        process: None,
    };
    let said = quickstart.start();
    for wanted in [
        "alice@example.test",
        "password ",
        "telnet 127.0.0.1 ",
        "delivered",
    ] {
        assert!(said.contains(wanted), "no {wanted} in {said}");
    }
    let (_, address) = said.split_once("Serving SMTP on ").unwrap();
    let address = address.split_whitespace().next().unwrap();
    assert!(send(address, "alice@example.test", "hello").starts_with("250"));
    assert!(
        quickstart
            .command("mail show bob@example.test 1")
            .contains("Hello from Postrider")
    );
    quickstart.stop();

    let said = quickstart.start();
    assert!(
        said.contains("kept as it was") && !said.contains("  password "),
        "{said}"
    );
    assert!(
        quickstart
            .command("trace alice@example.test")
            .contains("bob@example.test")
    );
    quickstart.stop();
}
