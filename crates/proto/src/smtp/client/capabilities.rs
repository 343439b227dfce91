//! What a server says it can do. RFC 5321 §4.1.1.1

use super::ServerReply;

/// The extensions of a server, as far as they matter to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a keyword that stands or does not"
)]
pub struct Capabilities {
    /// It understood EHLO.
    pub extended: bool,
    /// The largest message in octets; `None` without SIZE and without a limit. RFC 1870 §4
    pub size: Option<u64>,
    /// SIZE, with or without a limit. RFC 1870
    pub size_offered: bool,
    /// PIPELINING. RFC 2920
    pub pipelining: bool,
    /// 8BITMIME. RFC 6152
    pub eight_bit_mime: bool,
    /// ENHANCEDSTATUSCODES. RFC 2034
    pub enhanced_status_codes: bool,
    /// CHUNKING. RFC 3030
    pub chunking: bool,
    /// SMTPUTF8. RFC 6531
    pub smtputf8: bool,
    /// STARTTLS. RFC 3207
    pub starttls: bool,
    /// All keywords in upper case with their parameters, as they came.
    pub keywords: Vec<String>,
}

impl Capabilities {
    /// Out of the reply to EHLO: its first line is a greeting, each other one a keyword.
    pub(super) fn parse(reply: &ServerReply) -> Self {
        let mut all = Self {
            extended: true,
            ..Self::default()
        };
        for line in reply.lines().skip(1) {
            let (keyword, parameters) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            let keyword = keyword.to_ascii_uppercase();
            match keyword.as_str() {
                "SIZE" => {
                    all.size_offered = true;
                    all.size = parameters.trim().parse().ok().filter(|max| *max > 0);
                }
                "PIPELINING" => all.pipelining = true,
                "8BITMIME" => all.eight_bit_mime = true,
                "ENHANCEDSTATUSCODES" => all.enhanced_status_codes = true,
                "CHUNKING" => all.chunking = true,
                "SMTPUTF8" => all.smtputf8 = true,
                "STARTTLS" => all.starttls = true,
                _ => {}
            }
            all.keywords.push(match parameters {
                "" => keyword,
                parameters => format!("{keyword} {parameters}"),
            });
        }
        all
    }
}
