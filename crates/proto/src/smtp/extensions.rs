//! The extensions that the server side offers, one file each.
//!
//! A new one is a file that fills an [`Extension`], and a row in [`OFFERED`].

mod eight_bit_mime;
mod enhanced_status_codes;
mod pipelining;
mod size;

use mailtypes::Envelope;

pub(super) use self::size::too_large;
use super::{Parameter, Parameters, Reply, Settings};

/// What an extension adds to a conversation. RFC 5321 §2.2
pub(super) struct Extension {
    /// Its line in the reply to EHLO.
    keyword: fn(&Settings) -> String,
    /// Parameters that it adds to MAIL.
    mail: &'static [(&'static str, MailParameter)],
    /// Parameters that it adds to RCPT.
    rcpt: &'static [(&'static str, RcptParameter)],
    /// Octets that they add to the longest command line.
    line_len_extra: usize,
}

/// Notes a parameter of MAIL, or refuses it.
type MailParameter = fn(Option<&str>, &mut MailRequest, &Settings) -> Result<(), Reply>;
/// Notes a parameter of RCPT, or refuses it.
type RcptParameter = fn(Option<&str>, &mut RcptRequest, &Settings) -> Result<(), Reply>;

/// What MAIL asks for.
#[derive(Debug)]
pub(super) struct MailRequest {
    pub(super) envelope: Envelope,
    /// Octets. RFC 1870 §6
    pub(super) size: Option<u64>,
}

/// What RCPT asks for besides its path.
#[derive(Debug, Default)]
pub(super) struct RcptRequest {}

// todo RFC 3461 §4: DSN is not offered: RET and ENVID of MAIL, NOTIFY and ORCPT of RCPT.
/// In the order of the reply to EHLO.
const OFFERED: [&Extension; 4] = [
    &pipelining::EXTENSION,
    &size::EXTENSION,
    &eight_bit_mime::EXTENSION,
    &enhanced_status_codes::EXTENSION,
];

/// The lines behind the first one of the reply to EHLO.
pub(super) fn keywords(settings: &Settings) -> Vec<String> {
    OFFERED
        .iter()
        .map(|extension| (extension.keyword)(settings))
        .collect()
}

/// Octets that all extensions together add to the longest command line.
pub(super) fn line_len_extra() -> usize {
    OFFERED
        .iter()
        .map(|extension| extension.line_len_extra)
        .sum()
}

/// Hands each parameter of MAIL to the extension that knows it.
pub(super) fn take_mail(
    parameters: &Parameters,
    request: &mut MailRequest,
    settings: &Settings,
) -> Result<(), Reply> {
    parameters.iter().try_for_each(|parameter| {
        let take = find(parameter, OFFERED.iter().flat_map(|e| e.mail))?;
        take(parameter.value.as_deref(), request, settings)
    })
}

/// Hands each parameter of RCPT to the extension that knows it.
pub(super) fn take_rcpt(
    parameters: &Parameters,
    request: &mut RcptRequest,
    settings: &Settings,
) -> Result<(), Reply> {
    parameters.iter().try_for_each(|parameter| {
        let take = find(parameter, OFFERED.iter().flat_map(|e| e.rcpt))?;
        take(parameter.value.as_deref(), request, settings)
    })
}

// RFC 5321 §4.1.1.11: 555 for what we do not know
fn find<T: Copy + 'static>(
    parameter: &Parameter,
    mut known: impl Iterator<Item = &'static (&'static str, T)>,
) -> Result<T, Reply> {
    let keyword = &parameter.keyword;
    known
        .find(|(name, _)| name == keyword)
        .map(|(_, take)| *take)
        .ok_or_else(|| {
            let text = format!("The parameter {keyword} is not known here; leave it out");
            Reply::new(555, "5.5.4", text)
        })
}
