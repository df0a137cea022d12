//! An index of images as it is written: its entries read, others added to it, and those of somebody else left as they are.
//! Where it stands, in a layout or a registry, is left to who calls.

use kubectl_skills::skill::oci::{Descriptor, Document, REF_NAME, media_type, parse};
use serde_json::{Value, json};

/// The manifests of an index.
pub fn entries(bytes: &[u8]) -> Result<Vec<Descriptor>, String> {
    match parse(bytes, Some(media_type::OCI_INDEX))? {
        Document::Index(index) => Ok(index.manifests),
        Document::Image(_) => Err("an image in the place of a list".into()),
    }
}

/// An index as it is written, so that entries can be added; a new one for none.
pub fn editable(index: Option<&[u8]>) -> Result<Value, String> {
    let Some(bytes) = index else {
        return Ok(json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []}));
    };
    entries(bytes)?;
    let mut index: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if index.get("manifests").is_none_or(Value::is_null) {
        index["manifests"] = json!([]);
    }
    Ok(index)
}

/// The entries of such an index.
pub fn manifests_of(index: &mut Value) -> Result<&mut Vec<Value>, String> {
    let manifests = index.get_mut("manifests").and_then(Value::as_array_mut);
    manifests.ok_or_else(|| "manifests is no list".into())
}

/// The name of an entry.
pub fn name_of(entry: &Value) -> Option<&str> {
    entry.get("annotations")?.get(REF_NAME)?.as_str()
}

/// Names that new entries take from other manifests, and the digests of these.
pub fn renamed(manifests: &[Value], new: &[Value]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for entry in new {
        let Some(name) = name_of(entry) else { continue };
        let old = manifests.iter().find(|old| name_of(old) == Some(name));
        let digest =
            |entry: &Value| entry.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(old) = old.map(digest).filter(|old| *old != digest(entry)) {
            out.push((name.to_owned(), old));
        }
    }
    out
}

/// Adds entries. One of the same name gives way, and one without a name to the same manifest with one.
pub fn merge(manifests: &mut Vec<Value>, new: Vec<Value>) {
    for entry in new {
        manifests.retain(|old| match (name_of(&entry), name_of(old)) {
            (Some(own), Some(old)) => own != old,
            // It has a name now, or is there already.
            (_, None) => old.get("digest") != entry.get("digest"),
            (None, Some(_)) => true,
        });
        let is_there = manifests.iter().any(|old| old.get("digest") == entry.get("digest"));
        if name_of(&entry).is_some() || !is_there {
            manifests.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(digit: char, name: Option<&str>) -> Value {
        let digest = format!("sha256:{}", digit.to_string().repeat(64));
        let mut entry = json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": 1});
        if let Some(name) = name {
            entry["annotations"] = json!({REF_NAME: name});
        }
        entry
    }

    /// A second pull of a tag that has moved must not leave two images of that name; a pull of another one leaves both.
    #[test]
    fn one_name_is_one_image() {
        let mut theirs = entry('9', Some("theirs"));
        theirs["x-new"] = json!(1);
        let before =
            json!({"schemaVersion": 2, "manifests": [theirs, entry('1', Some("a")), entry('2', None)]});
        let new = vec![entry('3', Some("a")), entry('2', Some("b")), entry('4', None), entry('3', None)];
        let mut after = editable(Some(before.to_string().as_bytes())).expect("an index");
        let taken = vec![("a".to_owned(), format!("sha256:{}", "1".repeat(64)))];
        assert_eq!(renamed(manifests_of(&mut after).expect("a list"), &new), taken);
        merge(manifests_of(&mut after).expect("a list"), new);
        let wanted = json!([theirs, entry('3', Some("a")), entry('2', Some("b")), entry('4', None)]);
        assert_eq!(after, json!({"schemaVersion": 2, "manifests": wanted}));
        assert!(editable(Some(b"{\"config\":{}}")).is_err());
    }
}
