//! Whether the kubelet has a login for the registry of each skill: a workload, Secrets and ServiceAccounts of the input in,
//! findings out. Nothing is said where a Secret that the pod names is not in the input.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Out;
use super::mounts::is_in;
use super::others::Others;
use super::own::PULL_SECRET;
use super::view::{Delivery, Workload, list, text};
use crate::api::image_reference;

const KEY: &str = ".dockerconfigjson";

pub(super) fn check(workload: &Workload<'_>, others: &Others<'_>, out: &mut Out<'_, '_>) {
    let Some(pod) = workload.pod() else { return };
    let images =
        || workload.uses.iter().filter(|one| matches!(one.delivery, Delivery::Image | Delivery::Pod));
    if images().next().is_none() || others.all.is_empty() {
        return;
    }
    let namespace = &workload.item.id.namespace;
    let account = Some(text(pod, "serviceAccountName")).filter(|name| !name.is_empty()).unwrap_or("default");
    let account = others.find("ServiceAccount", namespace, account).map(|account| account.value);
    let of = |value: &'_ Value| -> Vec<String> {
        list(value, "imagePullSecrets").iter().map(|one| text(one, "name").to_owned()).collect()
    };
    let mut names = of(pod);
    names.extend(account.map(of).unwrap_or_default());
    let mut logins = Vec::new();
    for name in &names {
        match others.find("Secret", namespace, name).and_then(|secret| registries(secret.value)) {
            Some(more) => logins.extend(more),
            None => return,
        }
    }
    if logins.is_empty() {
        return;
    }
    for one in images() {
        let Some(parts) = image_reference::parts(one.image) else { continue };
        let (registry, repository) = parts.location();
        if !logins.iter().any(|login| covers(login, registry, &repository)) {
            let message = format!("none of the pull secrets {} has a login for {registry}", names.join(", "));
            let at = one.image_at(workload);
            out.add(
                &PULL_SECRET,
                one.item(workload),
                &at,
                message,
                "right where that registry needs no login",
            );
        }
    }
}

/// The registries of a Secret of type dockerconfigjson.
fn registries(secret: &Value) -> Option<Vec<String>> {
    let plain = secret
        .get("stringData")
        .map(|data| text(data, KEY).as_bytes().to_vec())
        .filter(|text| !text.is_empty());
    let encoded = || STANDARD.decode(text(secret.get("data")?, KEY).trim()).ok();
    let config: Value = serde_json::from_slice(&plain.or_else(encoded)?).ok()?;
    Some(config.get("auths")?.as_object()?.keys().cloned().collect())
}

/// Whether a login is for a repository: the kubelet takes hosts, paths below them, and `*` in a host's labels.
fn covers(login: &str, registry: &str, repository: &str) -> bool {
    let login = login.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let (host, path) = login.split_once('/').unwrap_or((login, ""));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => image_reference::DOCKER_HUB,
        host => host,
    };
    let labels = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (wanted, own) = (labels(registry), labels(host));
    let same = wanted.len() == own.len()
        && wanted.iter().zip(&own).all(|(wanted, own)| match own.split_once('*') {
            Some((start, end)) => {
                wanted.len() >= start.len() + end.len() && wanted.starts_with(start) && wanted.ends_with(end)
            }
            None => wanted == own,
        });
    // As in https://index.docker.io/v1/.
    let version =
        |name: &str| path.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = ["v1", "v2"].into_iter().find_map(version).unwrap_or(path).trim_matches('/');
    same && (path.is_empty() || is_in(repository, path))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn logins_are_for_hosts_paths_and_patterns() {
        for (login, image, wanted) in [
            ("ghcr.io", ("ghcr.io", "acme/a"), true),
            ("ghcr.io/v2ray", ("ghcr.io", "v2ray/a"), true),
            ("ghcr.io/v2ray", ("ghcr.io", "ray/a"), false),
            ("https://index.docker.io/v1/", ("docker.io", "library/a"), true),
            ("ghcr.io/acme", ("ghcr.io", "acme/a"), true),
            ("ghcr.io/acme", ("ghcr.io", "acmex/a"), false),
            ("*.dkr.ecr.eu-west-1.amazonaws.com", ("1.dkr.ecr.eu-west-1.amazonaws.com", "a"), true),
            ("*.io", ("a.ghcr.io", "a"), false),
            ("quay.io", ("ghcr.io", "acme/a"), false),
        ] {
            assert_eq!(covers(login, image.0, image.1), wanted, "{login} {image:?}");
        }
    }
}
