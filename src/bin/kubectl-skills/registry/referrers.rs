//! What refers to an image: signatures, attestations, bills of materials. The registry's list where it keeps one, else the
//! index under the fallback tag, which clients keep (distribution-spec, "Listing Referrers" and "Pushing Manifests with
//! Subject").

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::ACCEPT;
use kubectl_skills::skill::oci::{Descriptor, Digest, MANIFEST_LIMIT, Manifest, media_type};
use serde_json::{Value, json};

use super::error::{Kind, RegistryError, Result};
use super::repository::{Named, Pages, Repository};
use super::url::encoded;
use crate::skill_files::index::{editable, entries, manifests_of};

/// Most bytes of a page.
const PAGE_BYTES: usize = 4 << 20;
/// Most referrers of one image.
const MOST: usize = 10_000;
/// How often the fallback index is written again where somebody else has written it meanwhile.
const ROUNDS: u32 = 5;

/// The tag under which clients keep the list of what refers to a digest.
pub fn fallback_tag(digest: &Digest) -> String {
    format!("sha256-{}", digest.hex())
}

/// The tag under which cosign kept the signatures of a digest before they referred to it.
pub fn signature_tag(digest: &Digest) -> String {
    format!("{}.sig", fallback_tag(digest))
}

impl Repository {
    /// What refers to a digest, of one artifact type or of all.
    ///
    /// # Errors
    /// The list cannot be read to its end. None is an answer only where the registry says so.
    pub async fn referrers(&self, digest: &Digest, kind: Option<&str>) -> Result<Vec<Descriptor>> {
        let filter = kind.map_or_else(String::new, |kind| format!("?artifactType={}", encoded(kind)));
        let what: Arc<str> = format!("list what refers to {}@{digest}", self.name()).into();
        let mut pages = Pages::new(self.uri(&format!("referrers/{digest}{filter}"))?, Arc::clone(&what));
        let (mut found, mut first) = (Vec::new(), true);
        while let Some(ask) = pages.next() {
            let mut answer = self.send(ask.header(ACCEPT, media_type::OCI_INDEX)).await?;
            if first && matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
                found = self.fallback_referrers(digest).await?;
                break;
            }
            first = false;
            if answer.status != StatusCode::OK {
                return Err(answer.into_error().await);
            }
            let bytes = answer.bytes(PAGE_BYTES).await?;
            found.extend(
                entries(&bytes).map_err(|why| RegistryError::new(Kind::Refused, format!("{what}: {why}")))?,
            );
            if found.len() > MOST {
                return Err(RegistryError::new(Kind::Refused, format!("{what}: more than {MOST}")));
            }
            pages.after(&answer)?;
        }
        // A registry may ignore the filter.
        found.retain(|one| kind.is_none_or(|kind| one.artifact_type.as_deref() == Some(kind)));
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|one| seen.insert(one.digest.clone()));
        Ok(found)
    }

    async fn fallback_referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>> {
        let tag = fallback_tag(digest);
        // A failure here is one: taken for "none" an image would seem to be unsigned.
        let Some((bytes, _)) = self.tagged(&tag).await? else { return Ok(Vec::new()) };
        entries(&bytes)
            .map_err(|why| RegistryError::new(Kind::Refused, format!("{}:{tag}: {why}", self.name())))
    }

    /// Writes a manifest that refers to another one, and where the registry keeps no list, writes that as well.
    pub async fn put_referrer(
        &self,
        bytes: &[u8],
        kind: &str,
        manifest: &Manifest,
        subject: &Digest,
    ) -> Result<()> {
        let digest = Digest::of(bytes);
        if self.put_manifest(&Named::Digest(&digest), bytes, kind).await? {
            return Ok(());
        }
        let tag = fallback_tag(subject);
        let artifact = manifest.artifact_type.as_ref().unwrap_or(&manifest.config.media_type);
        let mut entry = json!({"mediaType": kind, "digest": digest.as_str(), "size": bytes.len(), "artifactType": artifact});
        if !manifest.annotations.is_empty() {
            entry["annotations"] = json!(manifest.annotations);
        }
        for round in 1..=ROUNDS {
            let before = self.tagged(&tag).await?;
            let before = before.map(|(bytes, _)| bytes);
            match added(before.as_deref(), &entry).map_err(|why| self.no_index(&tag, &why))? {
                Some(after) => {
                    if after.len() as u64 > MANIFEST_LIMIT {
                        return Err(self.no_index(&tag, "the list would be longer than a manifest may be"));
                    }
                    self.put_manifest(&Named::Tag(&tag), &after, media_type::OCI_INDEX).await?;
                }
                None => return Ok(()),
            }
            // Somebody who read the same list and wrote it after us has dropped our entry; the next round sees it.
            if round > 1 {
                tokio::time::sleep(crate::net::retry::wait(round, None).min(Duration::from_secs(2))).await;
            }
        }
        match self.tagged(&tag).await? {
            Some((bytes, _)) if holds(&bytes, &digest) => Ok(()),
            _ => Err(self.no_index(&tag, "somebody else writes the list at the same time").help("run again")),
        }
    }

    fn no_index(&self, tag: &str, why: &str) -> RegistryError {
        RegistryError::new(
            Kind::Refused,
            format!("list what refers to an image, in {}:{tag}: {why}", self.name()),
        )
    }
}

fn holds(bytes: &[u8], digest: &Digest) -> bool {
    entries(bytes).is_ok_and(|all| all.iter().any(|one| one.digest == *digest))
}

/// The index with an entry more, or `None` if it has it. Entries of others stay as they are written.
fn added(index: Option<&[u8]>, entry: &Value) -> std::result::Result<Option<Vec<u8>>, String> {
    let mut index = editable(index)?;
    let manifests = manifests_of(&mut index)?;
    if manifests.iter().any(|one| one.get("digest") == entry.get("digest")) {
        return Ok(None);
    }
    manifests.push(entry.clone());
    Ok(Some(index.to_string().into_bytes()))
}

#[cfg(test)]
mod tests;
