-- Schema 1. The states of recipients and the legal moves are in docs/queue-states.md.
-- Columns that nothing fills yet are room for DSN, FUTURERELEASE, DELIVERBY, MT-PRIORITY and IMAP:
-- a later version finds them in every data folder.

-- One file of the body log. A file without a row is an accident of a crash and is removed.
CREATE TABLE segment (
  id      INTEGER PRIMARY KEY,
  closed  INTEGER NOT NULL,           -- 1: takes no new body
  end     INTEGER NOT NULL,           -- octets that commits have named; what lies behind is cut
  live    INTEGER NOT NULL            -- octets of bodies that something refers to
);

-- Where a body lies. It lives as long as a queue item or a mailbox entry refers to it.
CREATE TABLE body (
  id      INTEGER PRIMARY KEY,        -- the id of the item that brought it
  segment INTEGER NOT NULL,
  at      INTEGER NOT NULL,           -- offset of its first octet
  length  INTEGER NOT NULL,
  crc     INTEGER NOT NULL,           -- CRC-32C of its octets
  refs    INTEGER NOT NULL            -- items and entries that refer to it
);
CREATE INDEX body_segment ON body (segment);

-- One accepted message. The row stays as its story when all recipients have ended.
CREATE TABLE item (
  id           INTEGER PRIMARY KEY,   -- sorts by time
  shard        INTEGER NOT NULL,
  accepted     INTEGER NOT NULL,      -- milliseconds
  open         INTEGER NOT NULL,      -- recipients without an end
  ended        INTEGER,               -- milliseconds: when the last recipient ended
  reverse_path TEXT NOT NULL,         -- '' is the null path
  body_type    TEXT NOT NULL,
  smtputf8     INTEGER NOT NULL,
  require_tls  INTEGER NOT NULL,
  dsn_ret      TEXT,
  dsn_envid    TEXT,
  hold_until   INTEGER,
  deliver_by   TEXT,
  priority     INTEGER NOT NULL DEFAULT 0,
  spans        BLOB,                  -- NULL when all recipients have ended
  size         INTEGER NOT NULL,
  has_8bit     INTEGER NOT NULL,
  longest_line INTEGER NOT NULL,
  header_len   INTEGER NOT NULL,
  return_paths TEXT,                  -- JSON [[from, to], …] in the first body
  client       TEXT,                  -- these three are NULL for a message of our own making
  helo         TEXT,
  protocol     TEXT,
  login        TEXT,
  tls          TEXT,
  facts_form   INTEGER NOT NULL,
  facts        TEXT NOT NULL
);
CREATE INDEX item_open ON item (id) WHERE open > 0;
CREATE INDEX item_ended ON item (ended) WHERE ended IS NOT NULL;

CREATE TABLE recipient (
  item        INTEGER NOT NULL,
  n           INTEGER NOT NULL,
  address     TEXT NOT NULL,
  domain      TEXT NOT NULL,          -- next hops are grouped by it
  original    TEXT NOT NULL,          -- RCPT TO as given
  via         TEXT,                   -- JSON list of aliases followed
  reason      TEXT NOT NULL,
  account     INTEGER,                -- NULL: remote
  dsn_orcpt   TEXT,
  dsn_notify  TEXT,
  state       INTEGER NOT NULL,
  due         INTEGER,                -- milliseconds; only while queued
  attempts    INTEGER NOT NULL DEFAULT 0,
  status      TEXT,
  hands       TEXT,                   -- the worker that has it in hand
  PRIMARY KEY (item, n)
) WITHOUT ROWID;
CREATE INDEX recipient_due ON recipient (due) WHERE due IS NOT NULL;

-- Items by every address that had to do with them, folded: the sender, what the client wrote in
-- RCPT TO, the aliases followed, the final recipients.
CREATE TABLE mention (
  address TEXT NOT NULL,
  item    INTEGER NOT NULL,
  PRIMARY KEY (address, item)
) WITHOUT ROWID;

-- What happened: one row per attempt and per order of an operator.
CREATE TABLE history (
  item   INTEGER NOT NULL,
  seq    INTEGER NOT NULL,            -- grows within the item
  n      INTEGER,                     -- NULL: the whole item
  at     INTEGER NOT NULL,
  kind   INTEGER NOT NULL,
  status TEXT,
  detail TEXT NOT NULL,
  PRIMARY KEY (item, seq)
) WITHOUT ROWID;

-- What was delivered where. It outlives expunge: delivering again is harmless.
CREATE TABLE delivered (
  item   INTEGER NOT NULL,
  n      INTEGER NOT NULL,
  folder INTEGER NOT NULL,
  uid    INTEGER NOT NULL,
  PRIMARY KEY (item, n, folder)
) WITHOUT ROWID;

-- Recipients per day, kept for ever so that the audit balances when stories have gone.
CREATE TABLE daily (
  day        INTEGER PRIMARY KEY,
  accepted   INTEGER NOT NULL DEFAULT 0,
  delivered  INTEGER NOT NULL DEFAULT 0,
  bounced    INTEGER NOT NULL DEFAULT 0,
  suppressed INTEGER NOT NULL DEFAULT 0,
  removed    INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE lease (
  shard   INTEGER PRIMARY KEY,
  owner   TEXT NOT NULL,
  epoch   INTEGER NOT NULL,
  expires INTEGER NOT NULL
);

CREATE TABLE account (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again
  address  TEXT UNIQUE,               -- NULL: removed, its mail is being cleared away
  password TEXT NOT NULL,
  created  INTEGER NOT NULL
);

CREATE TABLE alias (
  address TEXT PRIMARY KEY,
  targets TEXT NOT NULL               -- JSON list
) WITHOUT ROWID;

CREATE TABLE folder (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  account      INTEGER NOT NULL,
  name         TEXT NOT NULL,
  uid_validity INTEGER NOT NULL,
  uid_next     INTEGER NOT NULL,
  mod_seq      INTEGER NOT NULL,
  UNIQUE (account, name)
);

CREATE TABLE entry (
  folder       INTEGER NOT NULL,
  uid          INTEGER NOT NULL,
  mod_seq      INTEGER NOT NULL,
  flags        TEXT NOT NULL DEFAULT '',
  received     INTEGER NOT NULL,      -- INTERNALDATE, milliseconds
  size         INTEGER NOT NULL,
  item         INTEGER NOT NULL,      -- the item that brought it
  spans        BLOB NOT NULL,
  PRIMARY KEY (folder, uid)
) WITHOUT ROWID;
CREATE INDEX entry_item ON entry (item);
