//! What quickstart prints for a person to paste. Every line must work as it stands.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::global::Global;
use crate::output::Output;
use crate::place::QUICKSTART_DATA;

/// How the commands are to be called from where the person is.
pub(super) struct Words {
    program: String,
    data: Option<PathBuf>,
}

impl Words {
    pub(super) fn new(data: &Path, global: &Global) -> Self {
        // Found without being named, unless a configuration here comes first.
        let found = global.data.is_none()
            && data == Path::new(QUICKSTART_DATA)
            && !Path::new("postrider.toml").exists();
        Self {
            program: program(),
            data: (!found).then(|| data.to_owned()),
        }
    }

    /// A command line of ours.
    pub(super) fn command(&self, arguments: &str) -> String {
        let data = self
            .data
            .as_ref()
            .map(|data| format!(" --data {}", quoted(data)));
        format!("{} {arguments}{}", self.program, data.unwrap_or_default())
    }

    /// A dialogue to type or to paste.
    pub(super) fn telnet(&self, address: SocketAddr, out: &mut Output) -> io::Result<()> {
        let (ip, port) = (address.ip(), address.port());
        out.line("\nSend a message by hand, in another terminal in this folder:\n")?;
        out.line(format!(
            "  telnet {ip} {port}        (or: nc -C {ip} {port})\n"
        ))?;
        for line in DIALOGUE {
            out.line(format!("  {line}").trim_end())?;
        }
        out.line("\nThe reply to the dot ends in a queue id. Ask where the message is:\n")?;
        for arguments in ["trace ID", "trace bob@example.test"] {
            out.line(format!("  {}", self.command(arguments)))?;
        }
        Ok(())
    }

    /// What to look at when the first message has arrived.
    pub(super) fn next_steps(&self, out: &mut Output) -> io::Result<()> {
        out.line("\nThe message itself, and what else is there:\n")?;
        for arguments in [
            "mail show bob@example.test 1",
            "mail list bob@example.test",
            "queue list",
            "audit",
            "help",
        ] {
            let line = if arguments == "help" {
                format!("{} help", self.program)
            } else {
                self.command(arguments)
            };
            out.line(format!("  {line}"))?;
        }
        Ok(())
    }
}

/// The name under which this program was found: its path, unless a search path led to it.
fn program() -> String {
    let called = std::env::args_os()
        .next()
        .map(PathBuf::from)
        .unwrap_or_default();
    if called.components().count() == 1 && !called.as_os_str().is_empty() {
        return quoted(&called);
    }
    let exe = std::env::current_exe().unwrap_or(called);
    let here = std::env::current_dir().unwrap_or_default();
    match exe.strip_prefix(&here) {
        Ok(below) => quoted(&Path::new(".").join(below)),
        Err(_) => quoted(&exe),
    }
}

/// As a shell wants it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=@%:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// RFC 5321 §3.3
const DIALOGUE: [&str; 9] = [
    "EHLO localhost",
    "MAIL FROM:<alice@example.test>",
    "RCPT TO:<bob@example.test>",
    "DATA",
    "Subject: Hello",
    "",
    "Hello Bob, this was typed by hand.",
    ".",
    "QUIT",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_for_the_shell() {
        assert_eq!(
            quoted(Path::new("./target/release/postrider")),
            "./target/release/postrider"
        );
        assert_eq!(quoted(Path::new("/a b/c")), "'/a b/c'");
        assert_eq!(quoted(Path::new("it's")), r"'it'\''s'");
    }

    #[test]
    fn the_data_folder_is_named_where_it_would_not_be_found() {
        let words = |data: Option<&str>| Words {
            program: "postrider".to_owned(),
            data: data.map(PathBuf::from),
        };
        assert_eq!(words(None).command("audit"), "postrider audit");
        assert_eq!(
            words(Some("/d")).command("audit"),
            "postrider audit --data /d"
        );
    }
}
