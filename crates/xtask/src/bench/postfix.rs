//! Postfix from the lab with its durable defaults, delivering into a Maildir.
//!
//! Runs `master` alone in a folder of its own. The owner of its queue must be a user who is not
//! root; `daemon` and `mail` are on every Debian and own nothing else here.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::peer::{self, Peer, free_port, is_root};
use super::postrider::FILES_MAX;
use super::users::{USERS_MAX, users};
use crate::{lab, process};

/// Needs root, because Postfix gives its parts different users.
///
/// Mail for sink.test it passes on to the port `next`. Each of its parts runs in so many processes at most.
pub(super) fn start(folder: &Path, next: u16, processes: u32) -> anyhow::Result<Peer> {
    anyhow::ensure!(is_root()?, "Postfix starts as root only");
    let home = folder.join("postfix");
    let port = free_port()?;
    lay_out(&home)?;
    fs::write(home.join("etc/main.cf"), main_cf(&home, next, processes))
        .context("writing main.cf")?;
    fs::write(home.join("etc/master.cf"), master_cf(port)).context("writing master.cf")?;
    let master = lab::folder().join("usr/lib/postfix/sbin/master");
    let log = fs::File::create(home.join("master.log")).context("creating the log")?;
    let mut command = peer::with_files(FILES_MAX, &master);
    command.args(["-d", "-c"]).arg(home.join("etc"));
    command
        .env("LD_LIBRARY_PATH", lab::library_path())
        .stdout(log.try_clone()?)
        .stderr(log);
    Peer::start("Postfix", port, &mut command)
}

/// The folders of a queue with the owners that Postfix checks.
fn lay_out(home: &Path) -> anyhow::Result<()> {
    for name in ["etc", "queue/pid"] {
        fs::create_dir_all(home.join(name)).with_context(|| name.to_owned())?;
    }
    let owned = |name: &str, owner: &str, mode: &str| -> anyhow::Result<()> {
        let path = home.join(name);
        fs::create_dir_all(&path).with_context(|| name.to_owned())?;
        process::output_of(process::command("chown").arg(owner).arg(&path))?;
        process::output_of(process::command("chmod").arg(mode).arg(&path))?;
        Ok(())
    };
    for name in PRIVATE {
        owned(&format!("queue/{name}"), "daemon", "700")?;
    }
    owned("queue/public", "daemon:mail", "710")?;
    owned("queue/maildrop", "daemon:mail", "730")?;
    owned("data", "daemon", "700")?;
    owned("mail", "daemon", "700")
}

/// Of a kind; more than the loads have sessions.
pub(super) const PROCESSES: u32 = 200;

const PRIVATE: [&str; 11] = [
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
    "saved", "trace",
];

fn main_cf(home: &Path, next: u16, processes: u32) -> String {
    let maildirs = maildirs();
    let (home, lab) = (home.display(), lab::folder());
    let lab = lab.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = {lab}/usr/sbin
daemon_directory = {lab}/usr/lib/postfix/sbin
shlib_directory = {lab}/usr/lib/postfix
meta_directory = {lab}/etc/postfix
mail_owner = daemon
setgid_group = mail
default_privs = nobody
import_environment = MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.test
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = inline:{{{maildirs}}}
virtual_uid_maps = static:1
virtual_gid_maps = static:1
virtual_minimum_uid = 1
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
default_process_limit = {processes}
alias_maps =
alias_database =
local_recipient_maps =
relay_domains = sink.test
transport_maps = inline:{{sink.test=smtp:[127.0.0.1]:{next}}}
"
    )
}

/// One for each user of the benches, in a table as a real one has it.
fn maildirs() -> String {
    let entry = |user: String| format!("{{{user}@example.test={user}/}}");
    let users: Vec<String> = users(USERS_MAX).map(entry).collect();
    users.join(", ")
}

fn master_cf(port: u16) -> String {
    format!(
        "127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"
    )
}
