//! The list of referrers: what is added to it, and what is taken from it.

use super::*;

/// An entry of somebody else's tool with a field that we do not know must come out of our update as it was.
#[test]
fn an_entry_is_added_once_and_others_stay() {
    let digest = |digit: char| format!("sha256:{}", digit.to_string().repeat(64));
    let theirs =
        json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest('a'), "size": 1, "x-new": {"a": [1]}});
    let ours =
        json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest('b'), "size": 2, "artifactType": "t"});
    let before = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [theirs], "annotations": {"k": "v"}});
    let after = added(Some(before.to_string().as_bytes()), &ours).expect("an index").expect("a change");
    let wanted = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [theirs, ours], "annotations": {"k": "v"}});
    assert_eq!(serde_json::from_slice::<Value>(&after).ok(), Some(wanted));
    assert_eq!(added(Some(&after), &ours), Ok(None));
    assert!(added(Some(b"{\"config\":{}}"), &ours).is_err());
    let first = added(None, &ours).expect("an index").expect("a change");
    assert!(holds(&first, &Digest::parse(&digest('b')).expect("a digest")));
}

#[path = "../../../../../tests/registry/server.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod server;

/// A registry that ignores the filter gives the bill of materials for the signature.
#[tokio::test]
async fn a_filter_that_is_ignored_is_applied_here() {
    use crate::registry::args::RegistryArgs;
    use crate::registry::reference::Reference;
    use crate::registry::store::Stores;

    let digest = |digit: char| format!("sha256:{}", digit.to_string().repeat(64));
    let entry = |digit, kind: &str| json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest(digit), "size": 1, "artifactType": kind});
    let entries = [entry('a', "sig/x"), entry('b', "sbom"), entry('a', "sig/x")];
    let index = json!({"schemaVersion": 2, "manifests": entries});
    let server = server::Server::start(move |_| server::Answer::new(200, index.to_string()));
    let reference = Reference::parse(&format!("{}/a/b", server.host)).expect("a reference");
    let stores = Stores::new(&RegistryArgs::default(), "inspect").expect("stores");
    let repository = stores.repository(&reference, false).expect("a repository");
    let subject = Digest::parse(&digest('c')).expect("a digest");
    let found = repository.referrers(&subject, Some("sig/x")).await.expect("a list");
    let found: Vec<_> = found.iter().map(|one| (one.digest.to_string(), one.artifact_type.clone())).collect();
    assert_eq!(found, [(digest('a'), Some("sig/x".to_owned()))]);
    let asked = format!("GET /v2/a/b/referrers/{}?artifactType=sig/x", digest('c'));
    assert_eq!(server.lines(), [asked]);
    assert_eq!(repository.referrers(&subject, None).await.map(|all| all.len()), Ok(2));
}
