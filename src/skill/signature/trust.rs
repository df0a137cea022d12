//! What is trusted: keys, and identities that certificate authorities vouch for.

use regex::Regex;
use sigstore_verify::Verifier;
use sigstore_verify::trust_root::TrustedRoot;

use super::key::PublicKey;
use super::provider;
use crate::skill::pattern::whole;

/// The certificate authorities and logs of the public Sigstore instance.
const PUBLIC_GOOD: &str = include_str!("trusted_root/public-good.json");

/// What is trusted, and how much is demanded.
pub struct Trust {
    /// Keys; any one suffices.
    pub keys: Vec<PublicKey>,
    /// Identities; any one suffices.
    pub identities: Vec<Identity>,
    /// Who vouches for identities, and for logs.
    pub root: Root,
    /// Whether a key's signature needs an entry of a log as well; a certificate's always does.
    pub require_log: bool,
}

/// Certificate authorities and logs.
pub struct Root(pub(super) Verifier);

impl Root {
    /// Those of the public Sigstore instance, as this program brings them along.
    ///
    /// # Errors
    /// Never, unless what it brings along is damaged.
    pub fn public_good() -> Result<Self, String> {
        Self::read(PUBLIC_GOOD)
    }

    /// Reads a trusted_root.json.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        provider::install();
        let root = TrustedRoot::from_json(text).map_err(|error| error.to_string())?;
        Verifier::new(&root).map(Self).map_err(|error| error.to_string())
    }
}

/// Who a certificate must name.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The mail address or URI.
    pub identity: Match,
    /// Who has identified him.
    pub issuer: Match,
}

impl Identity {
    /// Whether it is this one.
    pub fn is(&self, identity: &str, issuer: &str) -> bool {
        self.identity.is(identity) && self.issuer.is(issuer)
    }
}

/// A text that is wanted.
#[derive(Debug, Clone)]
pub enum Match {
    /// This one.
    Exact(String),
    /// One that a regular expression describes from its beginning to its end.
    Regexp(Regex),
}

impl Match {
    /// A regular expression for the whole text.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn regexp(pattern: &str) -> Result<Self, String> {
        whole(pattern).map(Self::Regexp).map_err(|error| error.to_string())
    }

    fn is(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => wanted == text,
            Self::Regexp(pattern) => pattern.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's matcher, which cosign uses, finds a pattern anywhere: `https://github.com/acme/` would be found in a query of
    /// somebody else's address.
    #[test]
    fn a_pattern_describes_the_whole_text() {
        let pattern = |text: &str| Match::regexp(text).expect("a pattern");
        assert!(pattern("https://github.com/acme/.*").is("https://github.com/acme/x"));
        assert!(!pattern("https://github.com/acme/.*").is("https://evil.example/?https://github.com/acme/x"));
        assert!(!pattern("a|b").is("ab") && pattern("a|b").is("b"));
        assert!(!pattern("a").is("a\n") && !pattern(".*").is("a\nb"));
        for wrong in ["a)|(b", "(", "(?x)a #", "a{1000}{1000}{1000}"] {
            assert!(Match::regexp(wrong).is_err(), "{wrong} was taken");
        }
    }

    #[test]
    fn the_root_that_comes_along_can_be_read() {
        assert_eq!(Root::public_good().err(), None);
        assert!(Root::read("{}").is_err() && Root::read("").is_err());
    }
}
