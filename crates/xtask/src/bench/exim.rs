//! Exim from the lab, delivering into Maildirs; it syncs by default.
//!
//! It insists on users and on a configuration at one place, so it runs with mounts of its own: its
//! packages and an /etc of its own laid over the machine's, seen by nobody else.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::peer::{Peer, free_port, is_root};
use super::users::{USERS_MAX, users};
use crate::{lab, process};

/// Needs root, because only root mounts.
pub(super) fn start(folder: &Path) -> anyhow::Result<Peer> {
    anyhow::ensure!(is_root()?, "Exim starts as root only");
    anyhow::ensure!(process::on_path("unshare"), "no unshare on this machine");
    let prefix = lab::peer("exim")?;
    let home = folder.join("exim");
    let port = free_port()?;
    for name in [
        "etc/exim4",
        "usr",
        "scratch/etc",
        "scratch/usr",
        "spool",
        "log",
        "mail",
    ] {
        fs::create_dir_all(home.join(name)).with_context(|| name.to_owned())?;
    }
    for name in ["spool", "log", "mail"] {
        process::output_of(process::command("chown").arg(USER_ID).arg(home.join(name)))?;
    }
    for (file, line) in [("passwd", PASSWD), ("group", GROUP)] {
        let machines = fs::read_to_string(format!("/etc/{file}")).context("reading /etc")?;
        fs::write(home.join("etc").join(file), format!("{machines}{line}\n"))?;
    }
    fs::write(home.join("etc/exim4/exim4.conf"), config(&home, port))?;
    let log = fs::File::create(home.join("exim.log")).context("creating the log")?;
    let mut command = process::command("unshare");
    command.args(["--mount", "sh", "-ec", MOUNT_AND_RUN]);
    command.arg("exim").arg(&prefix).arg(&home);
    command.stdout(log.try_clone()?).stderr(log);
    Peer::start("Exim", port, &mut command)
}

/// Gets the folder of the packages and that of this run.
const MOUNT_AND_RUN: &str = r#"
for name in usr etc; do
    lower=/$name
    if [ -d "$1/$name" ]; then lower=$1/$name:/$name; fi
    mount -t overlay -o "lowerdir=$lower,upperdir=$2/$name,workdir=$2/scratch/$name" "$name" "/$name"
done
exec exim4 -bdf -q1m
"#;

/// A number that nobody on this machine need know.
const USER_ID: &str = "64200:64200";
const PASSWD: &str = "Debian-exim:x:64200:64200::/nonexistent:/usr/sbin/nologin";
const GROUP: &str = "Debian-exim:x:64200:";

fn config(home: &Path, port: u16) -> String {
    let home = home.display();
    let users: Vec<String> = users(USERS_MAX).collect();
    let users = users.join(" : ");
    format!(
        "primary_hostname = mx.example.test
qualify_domain = example.test
domainlist local_domains = example.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/spool/exim.pid
acl_smtp_rcpt = accept_ours
acl_smtp_data = accept_all
never_users =
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
tls_advertise_hosts =
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0

begin acl
accept_ours:
  accept domains = +local_domains
  deny
accept_all:
  accept

begin routers
users:
  driver = accept
  local_parts = {users}
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = {home}/mail/$local_part_data
  maildir_format
  create_directory
  return_path_add
  user = Debian-exim
  group = Debian-exim

begin retry
* * F,1h,2s

begin rewrite
"
    )
}
