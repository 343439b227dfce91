//! Who has a mailbox at the servers that are measured.

/// The most mailboxes that there are.
pub(super) const USERS_MAX: usize = 100;

/// The local parts of the first so many users.
pub(super) fn users(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(user)
}

fn user(number: usize) -> String {
    match number {
        0 => "alice".to_owned(),
        _ => format!("user{number:02}"),
    }
}

/// Whom the message of that number is for: so many users in turn.
pub(super) fn address(number: u64, users: usize) -> String {
    let user = user(usize::try_from(number).unwrap_or(0) % users.max(1));
    format!("{user}@example.test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_take_turns() {
        assert_eq!(address(0, 1), "alice@example.test");
        assert_eq!(address(7, 1), "alice@example.test");
        assert_eq!(address(107, 100), "user07@example.test");
        assert_eq!(users(USERS_MAX).last().unwrap(), "user99");
    }
}
