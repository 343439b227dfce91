//! The parameters behind the path of MAIL and RCPT.

use std::fmt;

/// One parameter. RFC 5321 §4.1.2: esmtp-param
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// In upper case.
    pub keyword: String,
    /// What stands behind the `=`, when there is one.
    pub value: Option<String>,
}

/// The parameters of one command, in their order, each keyword once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<Parameter>);

impl Parameters {
    /// Takes parameters with spaces between them.
    pub fn parse(text: &str) -> Result<Self, BadParameters> {
        let mut found: Vec<Parameter> = Vec::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let parameter = Parameter::parse(word).ok_or(BadParameters::Syntax)?;
            if found.iter().any(|other| other.keyword == parameter.keyword) {
                return Err(BadParameters::Twice(parameter.keyword));
            }
            found.push(parameter);
        }
        Ok(Self(found))
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.0.iter()
    }
}

impl fmt::Display for Parameters {
    /// With a space before each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|parameter| {
            write!(f, " {}", parameter.keyword)?;
            match &parameter.value {
                Some(value) => write!(f, "={value}"),
                None => Ok(()),
            }
        })
    }
}

impl Parameter {
    fn parse(word: &str) -> Option<Self> {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let keyword_ok = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let value_ok = value.is_none_or(|value| {
            !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() && b != b'=')
        });
        (keyword_ok && value_ok).then(|| Self {
            keyword: keyword.to_ascii_uppercase(),
            value: value.map(str::to_owned),
        })
    }
}

/// Why a text is no list of parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadParameters {
    /// Not of the form `KEYWORD` or `KEYWORD=value`.
    #[error("a parameter looks like KEYWORD or KEYWORD=value")]
    Syntax,
    /// A keyword that was there already.
    #[error("{0} is given twice")]
    Twice(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_parse_and_write_back() {
        for (text, expect) in [
            ("", Ok("")),
            ("size=10  BODY=8BITMIME ", Ok(" SIZE=10 BODY=8BITMIME")),
            ("SMTPUTF8", Ok(" SMTPUTF8")),
            ("X-1=a+3Db", Ok(" X-1=a+3Db")),
            (
                "SIZE=1 size=2",
                Err(BadParameters::Twice("SIZE".to_owned())),
            ),
            ("SIZE=", Err(BadParameters::Syntax)),
            ("=1", Err(BadParameters::Syntax)),
            ("-A=1", Err(BadParameters::Syntax)),
            ("A=b=c", Err(BadParameters::Syntax)),
            ("a_b=1", Err(BadParameters::Syntax)),
        ] {
            let got = Parameters::parse(text).map(|p| p.to_string());
            assert_eq!(got, expect.map(str::to_owned), "{text}");
        }
    }
}
