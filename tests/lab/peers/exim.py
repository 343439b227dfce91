"""Exim: one config file, mailboxes as Maildirs, relay for the wire."""

from peers.peer import Peer, letters_of_maildir
from room import NETWORK

OWNER = "vmail"
USER = "Debian-exim"

CONFIG = """\
primary_hostname = {hostname}
qualify_domain = {domain}
domainlist local_domains = {domains}
hostlist relay_from_hosts = 127.0.0.1 : {network}
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
never_users =
host_lookup =
rfc1413_query_timeout = 0s
queue_run_in_order = false
timeout_frozen_after = 1h
keep_environment =
log_selector = +smtp_protocol_error +delivery_size
tls_advertise_hosts =
smtp_accept_max = 50

begin acl
acl_rcpt:
  deny domains = +local_domains
       !local_parts = {people}
       message = 5.1.1 No such user here
  accept domains = +local_domains
  accept hosts = +relay_from_hosts
  deny message = 5.7.1 relay not permitted
acl_data:
  accept

begin routers
outside:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  ignore_target_hosts = 0.0.0.0 : 127.0.0.0/8
  no_more
people:
  driver = accept
  local_parts = {people}
  transport = maildir

begin transports
remote_smtp:
  driver = smtp
  connect_timeout = 5s
  command_timeout = 5s
maildir:
  driver = appendfile
  directory = /var/mail/people/$local_part_data
  maildir_format
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add
  user = {owner}
  group = {owner}

begin retry
* * F,1h,2s

begin rewrite
"""


class Exim(Peer):
    package = "exim"
    programs = (USER, OWNER)
    class_only = True

    def configure(self):
        text = CONFIG.format(
            hostname=self.hostname,
            domain=self.domains[0],
            domains=" : ".join(self.domains),
            network=NETWORK,
            people=" : ".join(["postmaster", *self.people]),
            owner=OWNER,
        )
        self.write("exim4/exim4.conf", text)

    def launch(self):
        self.room.run("install", "-d", "-o", OWNER, "-g", OWNER, "/var/mail/people")
        for folder in ("/var/spool/exim4", "/var/log/exim4", "/run/exim4"):
            self.room.run("install", "-d", "-o", USER, "-g", USER, folder)
        self.room.start("exim4", "-bdf", "-q3s")

    def kick(self):
        self.room.run("exim4", "-qff", check=False)

    def waiting(self):
        return self.room.run("exim4", "-bpc").strip() != b"0"

    def letters(self, local):
        return letters_of_maildir(self.var / "mail" / "people" / local)

    def version(self):
        first = self.room.run("exim4", "-bV").decode().split("\n")[0]
        return f"Exim {first.split()[2]}"
