//! The statements that the journal can repeat.

/// A statement with a number of its own.
///
/// A start repeats what an older version has written: a number is never given to another statement,
/// and one that changes gets a new number and keeps its old text under the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Write {
    AddBody = 1,
    AddItem = 2,
    AddRecipient = 3,
    AddMention = 4,
    AddHistory = 5,
    MarkHands = 6,
    SetAside = 7,
    EndRecipient = 8,
    CloseOne = 9,
    ReferBody = 10,
    DropBody = 11,
    AddDelivered = 12,
    Wait = 13,
    OweReport = 14,
    MarkTold = 15,
    AddEntry = 16,
    TakeUid = 17,
    AddFolder = 18,
    StayHeld = 19,
    TakeInHand = 20,
    DropLast = 21,
    Postpone = 22,
    WaitOn = 23,
    PutOff = 24,
}

impl Write {
    pub(crate) const ALL: [Self; 24] = [
        Self::AddBody,
        Self::AddItem,
        Self::AddRecipient,
        Self::AddMention,
        Self::AddHistory,
        Self::MarkHands,
        Self::SetAside,
        Self::EndRecipient,
        Self::CloseOne,
        Self::ReferBody,
        Self::DropBody,
        Self::AddDelivered,
        Self::Wait,
        Self::OweReport,
        Self::MarkTold,
        Self::AddEntry,
        Self::TakeUid,
        Self::AddFolder,
        Self::StayHeld,
        Self::TakeInHand,
        Self::DropLast,
        Self::Postpone,
        Self::WaitOn,
        Self::PutOff,
    ];

    pub(crate) fn number(self) -> u16 {
        self as u16
    }

    pub(crate) fn of(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|write| write.number() == number)
    }

    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::AddBody => {
                "INSERT INTO body (id, segment, at, length, crc, refs) VALUES (?, ?, ?, ?, ?, 1)"
            }
            Self::AddItem => {
                "INSERT INTO item (id, shard, accepted, open, reverse_path, body_type,
                   smtputf8, require_tls, spans, size, has_8bit, longest_line, header_len,
                   return_paths, client, helo, protocol, login, tls, facts_form, facts)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            }
            Self::AddRecipient => {
                "INSERT INTO recipient (item, n, address, domain, original, via, reason,
                   account, state, due, lane)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            }
            Self::AddMention => {
                "INSERT INTO mention (address, item) VALUES (?, ?) ON CONFLICT DO NOTHING"
            }
            Self::AddHistory => {
                "INSERT INTO history (item, seq, n, at, kind, status, detail, trail)
                 VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM history WHERE item = ?1),
                         ?2, ?3, ?4, ?5, ?6, ?7)"
            }
            Self::MarkHands => {
                "UPDATE recipient SET hands = ?, strikes = ? WHERE item = ? AND n = ?"
            }
            Self::SetAside => {
                "UPDATE recipient SET state = ?, due = NULL, lane = NULL, hands = NULL, strikes = 0
                 WHERE item = ? AND n = ?"
            }
            Self::EndRecipient => {
                "UPDATE recipient SET state = ?, due = NULL, lane = NULL, hands = NULL,
                        attempts = attempts + ?, status = coalesce(?, status)
                 WHERE item = ? AND n = ?"
            }
            // The last recipient lets go of the message in the same statement.
            Self::CloseOne => {
                "UPDATE item SET open = open - 1, spans = iif(open > 1, spans, NULL),
                        ended = iif(open > 1, NULL, ?) WHERE id = ?"
            }
            Self::ReferBody => {
                "UPDATE body SET refs = refs + ? WHERE id = ? RETURNING refs, segment, length"
            }
            Self::DropBody => "DELETE FROM body WHERE id = ?",
            Self::AddDelivered => {
                "INSERT INTO delivered (item, n, folder, uid) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO NOTHING"
            }
            // What was ordered meanwhile stands, but never behind whoever walks through the other lane.
            Self::WaitOn => {
                "UPDATE recipient SET due = iif(due <= ?, ?, max(due, ?)), lane = ?,
                        attempts = attempts + 1, status = ?, strikes = ?, hands = NULL
                 WHERE item = ? AND n = ?"
            }
            // The same, and who is held stays so. What nobody has tried yet waits with the retries.
            Self::PutOff => {
                "UPDATE recipient SET due = iif(due <= ?, ?, max(due, ?)),
                        lane = iif(lane = 1, 2, lane), status = iif(attempts = 0, ?, status),
                        hands = NULL
                 WHERE item = ? AND n = ?"
            }
            Self::OweReport => {
                "UPDATE recipient SET state = ?, due = ?, lane = ?, attempts = attempts + 1,
                        status = ?, strikes = 0, hands = NULL WHERE item = ? AND n = ?"
            }
            Self::MarkTold => "UPDATE recipient SET told = 1 WHERE item = ? AND n = ?",
            Self::AddEntry => {
                "INSERT INTO entry (folder, uid, mod_seq, received, size, item, spans)
                 VALUES (?, ?, ?, ?, ?, ?, ?)"
            }
            Self::TakeUid => {
                "UPDATE folder SET uid_next = uid_next + 1, mod_seq = mod_seq + 1
                 WHERE account = ?1 AND name = ?2
                   AND EXISTS (SELECT 1 FROM account WHERE id = ?1 AND address IS NOT NULL)
                 RETURNING id, uid_next - 1, mod_seq"
            }
            Self::AddFolder => {
                "INSERT INTO folder (account, name, uid_validity, uid_next, mod_seq)
                 SELECT id, ?2, ?3, 1, 0 FROM account WHERE id = ?1 AND address IS NOT NULL"
            }
            Self::StayHeld => {
                "UPDATE recipient SET attempts = attempts + 1, status = ?, strikes = ?,
                        hands = NULL WHERE item = ? AND n = ?"
            }
            // Half of what stands in `hands` is the epoch.
            Self::TakeInHand => {
                "UPDATE recipient SET hands = ?1 WHERE item = ?2 AND n = ?3 AND state = ?4
                   AND (hands IS NULL OR hands / 2 = ?1 / 2) AND strikes < ?5"
            }
            // Written by older versions only.
            Self::DropLast => {
                "DELETE FROM body WHERE id = ? AND refs = 1 RETURNING segment, length"
            }
            Self::Wait => {
                "UPDATE recipient SET due = ?, lane = ?, attempts = attempts + 1, status = ?,
                        strikes = ?, hands = NULL WHERE item = ? AND n = ?"
            }
            Self::Postpone => {
                "UPDATE recipient SET due = iif(due = ?, ?, due),
                        status = iif(attempts = 0, ?, status), hands = NULL
                 WHERE item = ? AND n = ?"
            }
        }
    }
}

/// Which value of [`Write::AddItem`] tells the pieces of the message.
pub(crate) const ITEM_SPANS: usize = 8;

/// As [`Write::AddItem`], behind what [`Write::CloseOne`] does to it, whose first value comes last.
pub(crate) const ADD_ENDED: &str =
    "INSERT INTO item (id, shard, accepted, open, reverse_path, body_type,
       smtputf8, require_tls, spans, size, has_8bit, longest_line, header_len,
       return_paths, client, helo, protocol, login, tls, facts_form, facts, ended)
     VALUES (?1, ?2, ?3, ?4 - 1, ?5, ?6, ?7, ?8, NULL, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
             ?18, ?19, ?20, ?21, ?22)";

/// As [`Write::AddRecipient`], behind what [`Write::EndRecipient`] does to it, whose first three values
/// come last.
pub(crate) const ADD_DELIVERED: &str =
    "INSERT INTO recipient (item, n, address, domain, original, via, reason,
       account, state, attempts, status)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?12, ?13, ?14)";

#[cfg(test)]
mod tests {
    use super::Write;

    #[test]
    fn each_number_leads_back_to_its_statement() {
        for (n, write) in (1u16..).zip(Write::ALL) {
            assert_eq!((write.number(), Write::of(n)), (n, Some(write)));
        }
        for unknown in [0, u16::try_from(Write::ALL.len()).unwrap() + 1, u16::MAX] {
            assert_eq!(Write::of(unknown), None, "{unknown}");
        }
    }
}
