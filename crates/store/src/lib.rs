//! Bodies, queue, mailboxes, directory and history: SQLite and an append-only body log
