//! `card --signed`: which signatures of a card hold and by which reading, what of it none covers, and the mounted skills.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kubectl_skills::agent_card::reading::{Reading, uncovered};
use kubectl_skills::agent_card::signature::{Checked, Signer, Trust};
use kubectl_skills::agent_card::{read, skills};
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::signature::trust::Match;
use serde_json::{Value, json};

use crate::exit::{Failure, Outcome, Run};
use crate::source::{read_stdin, read_text};
use crate::{notes, sink};

/// Flags about a signed card.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signed card")]
pub struct SignedArgs {
    /// Verify a signed card instead; - for standard input
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["in_place", "check", "output"])]
    signed: Option<PathBuf>,
    /// Key that may have signed it: PEM or JWKS; repeatable, and any will do
    #[arg(long, value_name = "FILE", requires = "signed")]
    key: Vec<PathBuf>,
    /// Certificates of authorities, as PEM or as a SPIFFE bundle, for signatures that bring a certificate along
    #[arg(long, value_name = "FILE", requires = "signed")]
    ca: Vec<PathBuf>,
    /// The SPIFFE ID that such a certificate must name; repeatable, and any will do
    #[arg(long, value_name = "ID", requires = "ca")]
    spiffe_id: Vec<String>,
    /// The same as a regular expression for the whole ID
    #[arg(long, value_name = "REGEXP", requires = "ca")]
    spiffe_id_regexp: Vec<String>,
    /// Only this way to read a card: kagenti, a2a-served, a2a-proto or raw; repeatable [default: all of them]
    #[arg(long, value_enum, value_name = "NAME", requires = "signed", hide_possible_values = true)]
    reading: Vec<Way>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    Kagenti,
    A2aServed,
    A2aProto,
    Raw,
}

impl From<Way> for Reading {
    fn from(way: Way) -> Self {
        match way {
            Way::Kagenti => Self::Kagenti,
            Way::A2aServed => Self::A2aServed,
            Way::A2aProto => Self::A2aProto,
            Way::Raw => Self::Raw,
        }
    }
}

impl SignedArgs {
    /// Whether a signed card is to be verified.
    pub fn given(&self) -> bool {
        self.signed.is_some()
    }

    fn trust(&self) -> Result<Trust, Failure> {
        if self.key.is_empty() && self.ca.is_empty() {
            return Err(Failure::Usage(
                "say whose signature counts: --key FILE, or --ca FILE with --spiffe-id ID".into(),
            ));
        }
        if !self.ca.is_empty() && self.spiffe_id.is_empty() && self.spiffe_id_regexp.is_empty() {
            return Err(Failure::Usage(
                "--ca needs --spiffe-id: every workload of the trust domain has a certificate of that authority".into(),
            ));
        }
        let now = jiff::Timestamp::now().as_second();
        let mut trust = Trust::new(u64::try_from(now).unwrap_or_default());
        let wrong = |flag: &str, file: &PathBuf| {
            let place = format!("{flag} {}", file.display());
            move |why: String| Failure::input(format!("{place}: {why}"), "")
        };
        for file in &self.key {
            trust.add_keys(&read_text(file)?).map_err(wrong("--key", file))?;
        }
        for file in &self.ca {
            trust.add_authorities(&read_text(file)?).map_err(wrong("--ca", file))?;
        }
        for id in &self.spiffe_id {
            trust.add_identity(Match::Exact(id.clone()));
        }
        for pattern in &self.spiffe_id_regexp {
            let matching = Match::regexp(pattern)
                .map_err(|why| Failure::Usage(format!("--spiffe-id-regexp {pattern}: {why}")))?;
            trust.add_identity(matching);
        }
        Ok(trust)
    }

    fn readings(&self) -> Vec<Reading> {
        match self.reading.as_slice() {
            [] => Reading::ALL.to_vec(),
            some => some.iter().map(|way| (*way).into()).collect(),
        }
    }
}

/// Verifies a card, and prints what came of it with the mounted skills.
pub fn run(args: &super::Args) -> Run {
    let signed = &args.signed;
    let trust = signed.trust()?;
    let Some(file) = &signed.signed else { return Ok(Outcome::Done) };
    let name = file.display().to_string();
    let text = if name == "-" { read_stdin()? } else { read_text(file)? };
    let wrong = |why: String| Failure::input(format!("{name}: {why}"), "");
    let card = read(&text).map_err(wrong)?;
    let checked = trust.check(&card, &signed.readings()).map_err(wrong)?;
    let mut held: Vec<Reading> = checked
        .iter()
        .filter_map(|one| one.verdict.as_ref().ok())
        .flat_map(|(_, held)| held.clone())
        .collect();
    held.sort_unstable();
    held.dedup();
    let covered: Vec<Value> =
        held.iter().filter_map(|reading| reading.signed(&card).ok()).map(|signed| signed.fields).collect();
    let open = uncovered(&card, &covered);
    let mounted = match args.input.given() {
        false => None,
        true => Some(one_agent(super::of_files(args)?.1)?),
    };
    let mut out = json!({
        "card": name,
        "verified": !held.is_empty(),
        "signatures": checked.iter().map(value).collect::<Vec<_>>(),
        "readings": held.iter().map(|reading| reading.name()).collect::<Vec<_>>(),
        "notCovered": open,
    });
    if let Some(agent) = &mounted {
        out["skills"] = skills::merged(&card, &agent.skills).into_iter().map(Value::Object).collect();
    }
    sink::json(&out)?;
    if checked.is_empty() {
        notes::warning(&format!("{name} has no signatures"));
    }
    for (index, one) in checked.iter().enumerate() {
        if let Err(why) = &one.verdict {
            notes::warning(&format!("{name}: signatures[{index}]: {why}"));
        }
    }
    if !held.is_empty() && !open.is_empty() {
        notes::warning(&format!(
            "no signature covers {}: anyone who serves the card can write anything there",
            open.join(", ")
        ));
    }
    let good = checked.iter().filter(|one| one.verdict.is_ok()).count();
    let what = if held.is_empty() { "not verified" } else { "verified" };
    notes::summary(&format!("{name} {what}: {good} good of {}", counted(checked.len(), "signature")));
    Ok(if held.is_empty() { Outcome::Found } else { Outcome::Done })
}

/// The agent whose card it is.
fn one_agent(
    mut agents: Vec<kubectl_skills::manifest::card_maps::Agent>,
) -> Result<kubectl_skills::manifest::card_maps::Agent, Failure> {
    agents.retain(|agent| !agent.skills.is_empty());
    match (agents.len(), agents.pop()) {
        (1, Some(agent)) => Ok(agent),
        (count, _) => Err(Failure::Usage(format!(
            "the manifests have {} with skills: say whose card it is with --agent NAME",
            counted(count, "agent")
        ))),
    }
}

fn value(one: &Checked) -> Value {
    match &one.verdict {
        Err(why) => json!({"algorithm": one.algorithm, "kid": one.kid, "holds": false, "why": why}),
        Ok((signer, held)) => {
            let readings: Vec<&str> = held.iter().map(|reading| reading.name()).collect();
            let mut out =
                json!({"algorithm": one.algorithm, "kid": one.kid, "holds": true, "readings": readings});
            match signer {
                Signer::Key(name) => out["key"] = name.as_str().into(),
                Signer::Identity(id) => out["identity"] = id.as_str().into(),
            }
            out
        }
    }
}
