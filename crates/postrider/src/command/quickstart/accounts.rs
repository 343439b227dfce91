//! The two accounts of the try-out.

use admin::password;
use mailtypes::{Mailbox, Secret};
use store::{Embedded, Store};

use super::words::Words;
use crate::config::Config;
use crate::failure::{Failure, code};
use crate::output::Output;
use crate::place::QUICKSTART_DOMAIN;

/// Makes the accounts at the first time and shows their passwords; later says that all was kept.
/// Answers whether this is the first time.
pub(super) async fn welcome(
    store: &Embedded,
    config: &Config,
    words: &Words,
    out: &mut Output,
) -> Result<bool, Failure> {
    let data = config.data.display();
    let known = store
        .accounts(None, SHOWN_MAX)
        .await
        .map_err(admin::Refusal::from)?;
    if !known.is_empty() {
        out.line(format!(
            "The data in {data} was kept as it was. Accounts:\n"
        ))?;
        for account in &known {
            out.line(format!("  {}", account.address))?;
        }
        out.line("\nPasswords were shown once. A new one:\n")?;
        let command = format!("account passwd {} --generate", known[0].address);
        out.line(format!("  {}", words.command(&command)))?;
        return Ok(false);
    }
    out.line(format!(
        "A mail system for {QUICKSTART_DOMAIN}, its data in {data}. Accounts:\n"
    ))?;
    for name in NAMES {
        let text = format!("{name}@{QUICKSTART_DOMAIN}");
        let password = add(store, &text).await?;
        out.line(format!("  {text:<20}  password {}", password.expose()))?;
    }
    out.line(
        "\nThe passwords are not shown again (POP3 and IMAP, still to come, will ask for them).",
    )?;
    Ok(true)
}

async fn add(store: &Embedded, text: &str) -> Result<Secret<String>, Failure> {
    let address =
        Mailbox::parse(text).map_err(|why| Failure::new(code::DATAERR, why.to_string(), ""))?;
    let password = password::generate(&mut rand::rng());
    let to_hash = password.clone();
    let hash = tokio::task::spawn_blocking(move || password::hash(&to_hash, &mut rand::rng()))
        .await
        .map_err(std::io::Error::other)?
        .map_err(|why| Failure::new(code::DATAERR, why.to_string(), ""))?;
    store
        .add_account(&address, &hash)
        .await
        .map_err(admin::Refusal::from)?;
    Ok(password)
}

const NAMES: [&str; 2] = ["alice", "bob"];
/// Accounts that are listed when the data was there already.
const SHOWN_MAX: usize = 10;
