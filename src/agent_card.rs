//! Agent cards of A2A 0.3 and 1.0: which of their fields a signature covers, whether it holds, and the skills of an agent as a
//! card lists them. Text in, verdicts and text out; where cards and skills come from is left to the binary.
//!
//! Signers disagree about the bytes that are signed, so every verdict names its [`reading`].

use serde_json::Value;

mod fields;
pub mod merge;
pub mod reading;
#[cfg(feature = "signatures")]
pub mod signature;
pub mod skills;

/// The ending of the ConfigMap from which an agent's card is signed; the name of the agent stands in front.
///
/// Source: rossoctl/rossoctl 0ea6d7ff `backend/app/routers/agents.py`.
pub const UNSIGNED: &str = "-card-unsigned";
/// Its key.
pub const UNSIGNED_KEY: &str = "agent.json";
/// The ending of the ConfigMap that holds the signed card.
pub const SIGNED: &str = "-card-signed";
/// Its key.
pub const SIGNED_KEY: &str = "agent-card.json";

/// Reads a card: a JSON object in which no key comes twice, since one reader takes the first and another one the last.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(text: &str) -> Result<Value, String> {
    let card: Value = crate::api::unique_json::read(text.as_bytes())?;
    if !card.is_object() {
        return Err("it must be a JSON object".into());
    }
    if card.get("agentCard").is_some() && card.get("attestations").is_some() {
        return Err(
            "it is a card in the envelope of sigstore-a2a, whose bundle is not checked; give its agentCard"
                .into(),
        );
    }
    Ok(card)
}
