//! Manifests, indexes and descriptors of OCI images, read from the bytes whose digest names them. Nothing is written
//! back from these structs: a foreign manifest is passed on as the bytes that it is, or its digest changes.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The most bytes that a manifest or index may have: what registries must accept at least, by the distribution spec
/// (967efdc0:spec.md, "Pushing Manifests").
pub const MANIFEST_LIMIT: u64 = 4 << 20;

/// The annotation that names an image in the index of an OCI layout.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The media types that name a manifest or an index.
pub mod media_type {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// Docker's image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// The configuration of an OCI image.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// The configuration of a Docker image.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// The configuration of an artifact that has none: `{}`.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// A layer as it is.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A gzipped layer.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A layer packed with zstd.
    pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// Docker's gzipped layer.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    /// All that a client accepts for a manifest, so that no registry converts one.
    pub const ACCEPTED: [&str; 4] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];
}

/// The digest of a blob or manifest: `sha256:` and 64 lower-case hexadecimal digits. Other algorithms are refused: no
/// registry in use names content by another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest::finish(Sha256::new_with_prefix(bytes))
    }

    /// The digest that a running hash has come to.
    pub fn finish(hash: Sha256) -> Digest {
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in hash.finalize() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        Digest(text)
    }

    /// Reads `sha256:<64 hexadecimal digits>`.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn parse(text: &str) -> Result<Digest, String> {
        let hex = text.strip_prefix("sha256:").ok_or_else(|| {
            format!("{text:?} is no digest that is supported: it must be sha256: and 64 hexadecimal digits")
        })?;
        if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(format!(
                "{text:?} is no digest: sha256: must be followed by 64 hexadecimal digits in lower case"
            ));
        }
        Ok(Digest(text.to_owned()))
    }

    /// `sha256:<hex>`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 hexadecimal digits alone, as in the path of an OCI layout's blob.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Digest, String> {
        Digest::parse(&text)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names a blob or manifest from another one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the bytes are.
    #[serde(default)]
    pub media_type: String,
    /// Their digest.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
    /// What kind of artifact the manifest is, in the entries of an index.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// Free text by key.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// For which machine, in the entries of an index.
    #[serde(default)]
    pub platform: Option<Platform>,
}

/// The machine that an entry of an index is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// `amd64`, `arm64`, ...; Docker writes `unknown` for attestations.
    #[serde(default)]
    pub architecture: String,
    /// `linux`, ...
    #[serde(default)]
    pub os: String,
    /// `v8`, ...
    #[serde(default)]
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// An image manifest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// As it stands in the manifest.
    #[serde(default)]
    pub media_type: Option<String>,
    /// What kind of artifact it is, if it says.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about: a signature's image.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Free text by key; catalogs read nothing else.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An image index, or Docker's manifest list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// As it stands in the index.
    #[serde(default)]
    pub media_type: Option<String>,
    /// What kind of artifact it is, if it says.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// Its manifests, or further indexes.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Free text by key.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Image(Manifest),
    /// Several, usually one a platform.
    Index(Index),
}

/// What is read of a manifest before it is known which of the two it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
}

/// Reads a manifest or an index. `declared` is the media type under which it was served or listed.
///
/// # Errors
/// It is larger than [`MANIFEST_LIMIT`], no JSON of that shape, of the old schema 1, or says that it is something else
/// than `declared`: a reader that believes the one and a reader that believes the other would see different images.
pub fn parse(bytes: &[u8], declared: Option<&str>) -> Result<Document, String> {
    if bytes.len() as u64 > MANIFEST_LIMIT {
        return Err(format!("a manifest of {} bytes; at most {MANIFEST_LIMIT} are read", bytes.len()));
    }
    let kind: Kind = serde_json::from_slice(bytes).map_err(|error| format!("no manifest: {error}"))?;
    if kind.schema_version == Some(1) {
        return Err(
            "a manifest of Docker's schema 1, which no registry should serve any more; push the image again"
                .into(),
        );
    }
    let declared = declared.map(|text| text.split(';').next().unwrap_or(text).trim());
    let declared = declared.filter(|text| media_type::ACCEPTED.contains(text));
    let stated = kind.media_type.as_deref();
    if let (Some(declared), Some(stated)) = (declared, stated)
        && declared != stated
    {
        return Err(format!("it is served as {declared} and says that it is {stated}"));
    }
    if kind.manifests.is_some() && (kind.config.is_some() || kind.layers.is_some()) {
        return Err(
            "both `manifests` and `config` or `layers`: an image to one reader and an index to another"
                .into(),
        );
    }
    let index = match stated.or(declared) {
        Some(media_type::OCI_INDEX | media_type::DOCKER_LIST) => true,
        Some(media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST) => false,
        Some(other) => {
            return Err(format!("media type {other:?}, which is neither an image manifest nor an index"));
        }
        None => kind.manifests.is_some(),
    };
    if index && kind.manifests.is_none() {
        return Err("it is to be an image index and has no `manifests`".into());
    }
    let read = |error: serde_json::Error| {
        format!("no {}: {error}", if index { "image index" } else { "image manifest" })
    };
    Ok(match index {
        true => Document::Index(serde_json::from_slice(bytes).map_err(read)?),
        false => Document::Image(serde_json::from_slice(bytes).map_err(read)?),
    })
}

/// Go writes an empty slice or map that was never made as `null`.
fn null_is_empty<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_digest_is_sha256_and_64_lower_case_digits() {
        assert_eq!(
            Digest::of(b"{}").as_str(),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        assert_eq!(
            Digest::parse(&format!("sha256:{HEX}")).map(|digest| digest.hex().to_owned()),
            Ok(HEX.into())
        );
        for wrong in [
            HEX.to_owned(),
            format!("sha512:{HEX}"),
            format!("sha256:{}", HEX.to_uppercase()),
            "sha256:".into(),
        ] {
            assert!(Digest::parse(&wrong).is_err(), "{wrong} would be taken for a digest");
        }
    }

    #[test]
    fn what_is_an_image_to_one_reader_and_an_index_to_another_is_refused() {
        let descriptor = format!(r#"{{"mediaType":"m","digest":"sha256:{HEX}","size":2}}"#);
        for (text, declared) in [
            (format!(r#"{{"schemaVersion":2,"config":{descriptor},"manifests":[]}}"#), None),
            (
                format!(r#"{{"mediaType":"{}","config":{descriptor}}}"#, media_type::OCI_MANIFEST),
                Some(media_type::OCI_INDEX),
            ),
            (format!(r#"{{"schemaVersion":2,"config":{descriptor}}}"#), Some(media_type::OCI_INDEX)),
            (r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(), Some(media_type::OCI_MANIFEST)),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(), None),
            (r#"{"mediaType":"text/plain"}"#.to_owned(), None),
            ("[]".to_owned(), None),
        ] {
            assert!(parse(text.as_bytes(), declared).is_err(), "{text} would be read");
        }
        let image = parse(format!(r#"{{"config":{descriptor},"layers":null}}"#).as_bytes(), None);
        assert!(
            matches!(image, Ok(Document::Image(Manifest { ref layers, .. })) if layers.is_empty()),
            "{image:?}"
        );
    }
}
