//! What is signed: in-toto statements and cosign's older payload, read with nothing left open.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::api::unique_json as json;
use crate::skill::oci::Digest;

/// The type of a payload that is a statement.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// What statements say that they are.
const STATEMENTS: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];
/// What cosign's older payload says that it is.
const SIMPLE: &str = "cosign container image signature";

/// A statement: something about some digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// What it says.
    pub predicate_type: String,
    /// Of what; only digests of the kind that registries use.
    pub digests: Vec<Digest>,
}

impl Statement {
    /// Reads a payload.
    pub(super) fn read(payload: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Written {
            #[serde(rename = "_type")]
            kind: String,
            subject: Vec<Subject>,
            predicate_type: String,
        }
        #[derive(Deserialize)]
        struct Subject {
            digest: BTreeMap<String, String>,
        }
        let written: Written = json::read(payload)?;
        if !STATEMENTS.contains(&written.kind.as_str()) {
            return Err(format!("its _type is {:?}, and no in-toto statement that is known", written.kind));
        }
        // A subject is matched by its digest alone; cosign gives none a name.
        let digests = written.subject.iter().filter_map(|subject| subject.digest.get("sha256"));
        let digests = digests.map(|hex| Digest::parse(&format!("sha256:{hex}")));
        Ok(Self { predicate_type: written.predicate_type, digests: digests.collect::<Result<_, _>>()? })
    }
}

/// Reads the digest that cosign's older payload names. The reference in it is ignored, as cosign does: images are copied.
pub(super) fn simple(payload: &[u8]) -> Result<Digest, String> {
    #[derive(Deserialize)]
    struct Written {
        critical: Critical,
    }
    #[derive(Deserialize)]
    struct Critical {
        image: Image,
        r#type: String,
    }
    #[derive(Deserialize)]
    struct Image {
        #[serde(rename = "docker-manifest-digest")]
        digest: Digest,
    }
    let Written { critical } = json::read(payload)?;
    if critical.r#type != SIMPLE {
        return Err(format!("its type is {:?}, and {SIMPLE:?} is wanted", critical.r#type));
    }
    Ok(critical.image.digest)
}
