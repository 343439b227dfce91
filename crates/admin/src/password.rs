//! Passwords are made readable, and kept only as argon2id hashes. RFC 9106

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use mailtypes::Secret;
use rand::{Rng, RngExt};

/// A new password of four groups of four letters, as in `hbqa-xwde-kmyr-tnpu`: 72 bits.
pub fn generate(rng: &mut impl Rng) -> Secret<String> {
    let mut text = String::with_capacity(GROUPS * (GROUP_LEN + 1));
    for group in 0..GROUPS {
        if group > 0 {
            text.push('-');
        }
        for _ in 0..GROUP_LEN {
            text.push(char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
        }
    }
    Secret::new(text)
}

/// The PHC string of a password. It takes some ten milliseconds and 19 MiB on purpose: call it on
/// a thread that may block.
pub fn hash(password: &Secret<String>, rng: &mut impl Rng) -> Result<String, BadPassword> {
    let octets = password.expose().as_bytes();
    if octets.len() < PASSWORD_LEN_MIN {
        return Err(BadPassword::TooShort);
    }
    if octets.len() > PASSWORD_LEN_MAX {
        return Err(BadPassword::TooLong);
    }
    let mut salt = [0; SALT_LEN];
    rng.fill_bytes(&mut salt);
    Argon2::default()
        .hash_password_with_salt(octets, &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| BadPassword::TooLong)
}

/// Whether `password` is the one behind `hash`. As slow as [`hash`].
pub fn verify(password: &Secret<String>, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.expose().as_bytes(), &hash)
            .is_ok()
    })
}

/// Whether a text is a hash that we can verify.
pub fn is_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id")
}

/// Why a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Fewer than [`PASSWORD_LEN_MIN`] octets.
    #[error("the password is shorter than {PASSWORD_LEN_MIN} characters")]
    TooShort,
    /// More than [`PASSWORD_LEN_MAX`] octets.
    #[error("the password is longer than {PASSWORD_LEN_MAX} characters")]
    TooLong,
}

/// Octets of a password, at least.
pub const PASSWORD_LEN_MIN: usize = 8;
/// Octets of a password, at most.
pub const PASSWORD_LEN_MAX: usize = 1024;
/// No i, l and o: they are misread.
const LETTERS: &[u8; 23] = b"abcdefghjkmnpqrstuvwxyz";
const GROUPS: usize = 4;
const GROUP_LEN: usize = 4;
/// Octets. RFC 9106 §3.1
const SALT_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_password_reads_well_and_verifies() {
        let password = generate(&mut rand::rng());
        let text = password.expose();
        assert_eq!(text.len(), 19);
        assert!(text.split('-').all(|group| group.len() == 4));
        let hashed = hash(&password, &mut rand::rng()).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$"), "{hashed}");
        assert!(is_hash(&hashed) && verify(&password, &hashed));
        assert!(!verify(&Secret::new("something else".into()), &hashed));
    }

    #[test]
    fn bad_passwords_and_hashes_are_refused() {
        let check = |text: &str| hash(&Secret::new(text.to_owned()), &mut rand::rng()).err();
        assert_eq!(check("1234567"), Some(BadPassword::TooShort));
        assert_eq!(check(&"x".repeat(1025)), Some(BadPassword::TooLong));
        assert!(!is_hash("hunter2") && !is_hash(""));
    }
}
