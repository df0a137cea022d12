//! Flags about who must have signed an image: as they were typed in, what is trusted out.

use std::path::{Path, PathBuf};

use clap::Args;
use kubectl_skills::skill::signature::key::PublicKey;
use kubectl_skills::skill::signature::trust::{Identity, Match, Root, Trust};

use crate::exit::Failure;
use crate::source::read_text;

/// Where keys may be for cosign, and are not fetched from here.
const ELSEWHERE: [&str; 9] =
    ["k8s", "awskms", "gcpkms", "azurekms", "hashivault", "gitlab", "pkcs11", "https", "http"];

/// Whose signature counts.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Trust")]
pub struct TrustArgs {
    /// Public key, as cosign.pub; repeatable, and any of them will do
    #[arg(long, value_name = "FILE|env://NAME")]
    pub key: Vec<String>,
    /// Who the certificate of a keyless signature must name
    #[arg(long, value_name = "NAME", conflicts_with = "certificate_identity_regexp")]
    pub certificate_identity: Option<String>,
    /// The same as a regular expression for the whole name
    #[arg(long, value_name = "REGEXP")]
    pub certificate_identity_regexp: Option<String>,
    /// Who must have identified the signer, such as https://token.actions.githubusercontent.com
    #[arg(long, value_name = "URL", conflicts_with = "certificate_oidc_issuer_regexp")]
    pub certificate_oidc_issuer: Option<String>,
    /// The same as a regular expression for the whole URL
    #[arg(long, value_name = "REGEXP")]
    pub certificate_oidc_issuer_regexp: Option<String>,
    /// Certificate authorities and logs in the place of the public Sigstore instance's: a trusted_root.json
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
    /// Demand an entry of a transparency log for signatures by key as well
    #[arg(long)]
    pub require_log: bool,
}

impl TrustArgs {
    /// Whether anybody is named.
    pub fn given(&self) -> bool {
        !self.key.is_empty()
            || self.certificate_identity.is_some()
            || self.certificate_identity_regexp.is_some()
            || self.certificate_oidc_issuer.is_some()
            || self.certificate_oidc_issuer_regexp.is_some()
    }

    /// Reads keys and root.
    ///
    /// # Errors
    /// A flag that cannot be meant, or a file that is not what it is to be.
    pub fn resolve(&self) -> Result<Trust, Failure> {
        let mut keys = Vec::new();
        for word in &self.key {
            let text = key_text(word)?;
            let read = PublicKey::read(&text);
            keys.extend(read.map_err(|why| Failure::input(format!("--key {word}: {why}"), ""))?);
        }
        let root = match &self.trusted_root {
            None => Root::public_good().map_err(|why| Failure::input(why, ""))?,
            Some(file) => Root::read(&read_text(file)?).map_err(|why| {
                let help = "it must be a trusted_root.json, as 'cosign trusted-root create' writes it";
                Failure::input(format!("--trusted-root {}: {why}", file.display()), help)
            })?,
        };
        Ok(Trust {
            keys,
            identities: self.identity()?.into_iter().collect(),
            root,
            require_log: self.require_log,
        })
    }

    fn identity(&self) -> Result<Option<Identity>, Failure> {
        let one = |flag: &str, exact: &Option<String>, pattern: &Option<String>| match (exact, pattern) {
            (Some(text), _) if text.is_empty() => Err(Failure::Usage(format!("{flag} is empty"))),
            (Some(text), _) => Ok(Some(Match::Exact(text.clone()))),
            (None, Some(pattern)) => Match::regexp(pattern)
                .map(Some)
                .map_err(|why| Failure::Usage(format!("{flag}-regexp {pattern}: {why}"))),
            (None, None) => Ok(None),
        };
        let identity =
            one("--certificate-identity", &self.certificate_identity, &self.certificate_identity_regexp)?;
        let issuer = one(
            "--certificate-oidc-issuer",
            &self.certificate_oidc_issuer,
            &self.certificate_oidc_issuer_regexp,
        )?;
        match (identity, issuer) {
            (Some(identity), Some(issuer)) => Ok(Some(Identity { identity, issuer })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(Failure::Usage(
                "--certificate-identity needs --certificate-oidc-issuer: any issuer may give anybody that name".into(),
            )),
            (None, Some(_)) => Err(Failure::Usage(
                "--certificate-oidc-issuer needs --certificate-identity: the issuer identifies everybody".into(),
            )),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the flag names a variable")]
fn key_text(word: &str) -> Result<String, Failure> {
    let Some((scheme, rest)) = word.split_once("://") else { return read_text(Path::new(word)) };
    if scheme == "env" {
        return std::env::var(rest)
            .map_err(|error| Failure::Usage(format!("--key {word}: the variable {rest}: {error}")));
    }
    if ELSEWHERE.contains(&scheme) {
        return Err(Failure::Usage(format!(
            "--key {word}: keys are not fetched; write it into a file: cosign public-key --key {word} > cosign.pub"
        )));
    }
    read_text(Path::new(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(args: &TrustArgs) -> String {
        match args.resolve() {
            Err(Failure::Usage(message)) => message,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{args:?} was taken"),
        }
    }

    /// A name without its issuer, or the other way round, would let anybody in.
    #[test]
    fn identity_and_issuer_come_together() {
        let args = TrustArgs { certificate_identity: Some("a@example.com".into()), ..TrustArgs::default() };
        assert!(usage(&args).contains("needs --certificate-oidc-issuer"));
        let args = TrustArgs { certificate_oidc_issuer_regexp: Some(".*".into()), ..TrustArgs::default() };
        assert!(usage(&args).contains("needs --certificate-identity"));
        let both = TrustArgs {
            certificate_identity_regexp: Some("a)|(.*".into()),
            certificate_oidc_issuer: Some("https://issuer.example".into()),
            ..TrustArgs::default()
        };
        assert!(usage(&both).starts_with("--certificate-identity-regexp a)|(.*: "));
        let empty = TrustArgs { certificate_identity: Some(String::new()), ..both };
        assert_eq!(usage(&empty), "--certificate-identity is empty");
    }

    #[test]
    fn a_key_that_is_elsewhere_is_said_to_be_so() {
        let args = |key: &str| TrustArgs { key: vec![key.into()], ..TrustArgs::default() };
        assert!(usage(&args("k8s://ns/name")).contains("cosign public-key --key k8s://ns/name > cosign.pub"));
        assert!(
            usage(&args("env://KUBECTL_SKILLS_NO_SUCH_KEY"))
                .contains("the variable KUBECTL_SKILLS_NO_SUCH_KEY")
        );
    }
}
