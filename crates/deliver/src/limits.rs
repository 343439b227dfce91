//! Limits of delivery, with their units.

use std::time::Duration;

/// Due recipients in memory at a time.
pub const WINDOW: usize = 500;
/// Recipients that wait in memory after a failure of our own store; with more of them the whole
/// lane of mailboxes pauses.
pub const WAITING_MAX: usize = 500;
/// Reports written in one round: mail for mailboxes goes before the next ones.
pub const REPORTS_AT_ONCE: usize = 16;
/// Items remembered as owing a report; more of them are found when these are done.
pub const OWED_MAX: usize = 2000;
/// Recipients remembered of each of them.
pub const OWED_RECIPIENTS_MAX: usize = 100;
/// How long a report waits for attempts at other recipients of its item, which may fail too.
pub const REPORT_WAIT_MAX: Duration = Duration::from_mins(10);
/// The longest pause before a report that could not be sent is tried again. It is given up when
/// the recipients have been owed it for the life of a message.
pub const REPORT_PAUSE_MAX: Duration = Duration::from_mins(15);
/// Times that the writing of a report may come to grief: the last time is without the message.
pub const REPORT_GRIEFS_MAX: u32 = 2;
/// Maildirs that are written at a time.
pub const MAILDIRS_AT_ONCE: usize = 16;
/// Recipients that wait in memory for one Maildir.
pub const MAILDIR_LINE_MAX: usize = 50;
/// Recipients that wait in memory for all Maildirs.
pub const MAILDIR_LINES_MAX: usize = 500;
/// How long a delivery into a Maildir may take.
pub const MAILDIR_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a stop waits for deliveries into Maildirs.
pub const STOP_WAIT: Duration = Duration::from_secs(10);
/// The first pause after a failure of our own store; it doubles.
pub const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause after a failure of our own store.
pub const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The longest pause before outcomes that could not be recorded are told to the store again. It is short: what
/// the next hosts have taken would be sent again after a crash.
pub const RECORD_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Failures of our own store for one recipient before it leaves the front of the queue and comes
/// back by the schedule, like mail for a server that is down.
pub const LOCAL_TRIES_MAX: u32 = 8;
/// The queue is looked at this often even when nobody said that something came.
pub const POLL: Duration = Duration::from_secs(30);
/// The queue is not looked at more often than this when there is nothing to do.
pub const IDLE_MIN: Duration = Duration::from_millis(10);
/// The queue is looked at no more often than this, each part of it, when the last look found nothing.
pub const ROUND_EVERY: Duration = Duration::from_millis(5);
/// How long mail for a domain that has become ours waits after a fault of our own.
pub const HOME_PAUSE: Duration = Duration::from_mins(1);
/// How long a lease lasts; it is renewed when half of it is over. What is left then is more than
/// the longest wait behind a final dot.
pub const LEASE: Duration = Duration::from_mins(30);
/// Recipients that wait in memory for a connection, of new mail and of other each.
pub const WAITING_LANE_MAX: usize = 6000;
/// Of these, what next hops share by what is free; what is beyond it is for those that come late.
pub const WAITING_SHARED: usize = 3600;
/// Recipients of one age that wait in memory for one next hop.
pub const SITE_WAITING_MAX: usize = 450;
/// So many may wait for each next hop however little is free. Five hundred slow ones and those that
/// stand in line leave room.
pub const SITE_WAITING_MIN: usize = 2;
/// Next hops remembered for their failures.
pub const SITES_MAX: usize = 50_000;
/// Next hops that get more of their mail out of the store in one round.
pub const REFILLS_AT_ONCE: usize = 4;
/// Rows read at least for it: those in hand may come first.
pub const REFILL_MIN: usize = 50;
/// A host that has turned a connection away gets one more after so many messages.
pub const CAP_GROWS_AFTER: u32 = 20;
/// Domains that a next hop remembers as having more mail; of more it goes through the queue.
pub const OVERFLOW_DOMAINS_MAX: usize = 64;
/// Jobs that a worker takes at a time.
pub const JOBS_AT_ONCE: usize = 10;
/// Recipients of one transaction: what every server takes. RFC 5321 §4.5.3.1.8
pub const RECIPIENTS_PER_TRANSACTION: usize = 100;
/// Messages over one connection, before it is opened anew.
pub const MESSAGES_PER_CONNECTION: u32 = 1000;
/// Mail exchangers of one domain that are asked about at a time.
pub const MX_HOSTS_MAX: usize = 20;
/// Mail exchangers of one domain that are asked about at all. While there are more, nothing that the
/// DNS says of these is for good.
pub const MX_ASKED_MAX: usize = 100;
/// Addresses tried in one visit: the hosts that it leaves out come in the next ones.
pub const ADDRESSES_TRIED_MAX: usize = 10;
/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// When the server stops: how long a transaction under way may go on. Less than the server waits.
pub const LAST_TRANSACTION: Duration = Duration::from_secs(20);
/// Messages over one connection while other next hops wait for a place at the same host.
pub const MESSAGES_WHILE_WANTED: u32 = 100;
/// How long a connection goes on in that case.
pub const TIME_WHILE_WANTED: Duration = Duration::from_secs(10);
/// How long a next hop stands in line for a place, while others of us have all that a host may get.
pub const LINE_WAIT: Duration = Duration::from_mins(5);
/// How long the mail of one that was not called in that time is left alone.
pub const LINE_PAUSE: Duration = Duration::from_secs(10);
/// The same where no more could stand in line.
pub const NO_LINE_PAUSE: Duration = Duration::from_secs(60);
/// How long a place is kept for one that was called.
pub const CALLED_WAIT: Duration = Duration::from_secs(10);
/// Next hops that stand in line. With what each may have in memory there is room for others.
pub const LINES_MAX: usize = 500;
/// How long an open connection waits for more mail.
pub const STAND_BY: Duration = Duration::from_secs(3);
/// How long a next hop that could not be reached is left alone; it doubles with each such pause.
pub const DOWN_FIRST: Duration = Duration::from_mins(1);
/// The longest time that a next hop is left alone.
pub const DOWN_MAX: Duration = Duration::from_hours(1);
/// Hosts in the trail of an attempt: one visit tries fewer.
pub const TRAIL_HOSTS_MAX: usize = 30;
/// Octets of one reply or answer in the trail of an attempt.
pub const TRAIL_REPLY_LEN_MAX: usize = 1000;
/// Octets of all answers of the DNS in the trail of an attempt.
pub const TRAIL_DNS_LEN_MAX: usize = 8 * 1024;
/// Octets of all that servers say in the trail of an attempt, but for what concerns one recipient.
pub const TRAIL_SAID_LEN_MAX: usize = 16 * 1024;
/// Octets of the reply that decided, for the report to the sender.
pub const BLAMED_LEN_MAX: usize = 2000;
/// Outcomes that wait to be recorded, of what is prompt and of what is patient each. Whoever brings more that is
/// prompt waits; with more that is patient no more of it is taken out of the queue.
pub const OUTCOMES_MAX: usize = 1000;
/// With room for fewer no page of retries is read: a walk and a refill have half of a piece each.
pub const PUT_OFF_MIN: usize = RECORD_GIVING_WAY / 2;
/// Outcomes recorded at a time.
pub const RECORD_AT_ONCE: usize = 256;
/// Of what is patient, while it gives way: whoever comes next waits for no more than that.
pub const RECORD_GIVING_WAY: usize = 64;
/// How long what is patient gives way for each recipient that was done with meanwhile.
pub const GIVE_WAY_EACH: Duration = Duration::from_millis(1);
/// At most so many times as long as it took to record it.
pub const GIVE_WAY_TIMES: u32 = 9;
/// The longest time that it gives way before the next ones are recorded.
pub const GIVE_WAY_LONGEST: Duration = Duration::from_secs(1);
/// Recipients for other servers in hand at a time, with so many connections: those that wait, those that
/// workers have, those whose outcome is not recorded yet (prompt and patient), and those of one look into the
/// queue.
#[must_use]
pub const fn in_hand_max(connections: usize) -> usize {
    let workers = connections * JOBS_AT_ONCE * RECIPIENTS_PER_TRANSACTION;
    2 * WAITING_LANE_MAX + workers + 2 * (OUTCOMES_MAX + RECORD_AT_ONCE) + WINDOW
}
/// Outcomes that wait to be recorded, with so many connections: when no more is taken out of the queue, what
/// waits and what workers have may still fail.
#[must_use]
pub const fn outcomes_max(connections: usize) -> usize {
    let workers = connections * JOBS_AT_ONCE * RECIPIENTS_PER_TRANSACTION;
    2 * OUTCOMES_MAX + WAITING_LANE_MAX + workers + WINDOW
}
/// Octets of their trails, in one transaction; a longer one goes alone.
pub const RECORD_OCTETS_MAX: usize = 256 * 1024;
/// A body up to this size is read before its turn comes, in octets.
pub const READ_AHEAD_LEN_MAX: u64 = 64 * 1024;
/// All bodies read ahead, in octets.
pub const READ_AHEAD_MAX: usize = 32 * 1024 * 1024;
/// After a start, mail that was in hand when the process died is left alone for so long.
pub const SUSPECT_PAUSE: Duration = Duration::from_secs(10);
/// Such mail under way at a time.
pub const SUSPECTS_AT_ONCE: usize = 8;
/// A message up to this size comes back whole with the report that it failed, in octets.
pub const RETURN_WHOLE_LEN_MAX: u64 = 50 * 1024;
/// Items whose senders wait to be told of a delay.
pub const LATE_MAX: usize = 10_000;
/// Hosts listed whose pauses wait to be ended; when there are more, all pauses end.
pub const FORGIVEN_MAX: usize = 10_000;
