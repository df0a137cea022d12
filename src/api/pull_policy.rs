//! The pull policy that the API server gives an image volume without one. A reference in, a policy out; whether a
//! reference makes sense to a registry is left to others.
//!
//! Source: `SetDefaults_Volume` of k8s.io/kubernetes 1.37.2 by way of `pkg/util/parsers` and `distribution/reference`;
//! conventions.md section 6.

use super::image_reference::{self, Pin};

/// `Always` where the tag is `latest` or neither tag nor digest is given, else `IfNotPresent`, also for text that is no
/// image reference at all.
pub fn default_pull_policy(reference: &str) -> &'static str {
    match image_reference::parse(reference) {
        Some(Pin::Tag { tag: "latest", .. }) => "Always",
        _ => "IfNotPresent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wrong default shows as a difference that no apply removes, or hides one that the kubelet acts upon.
    #[test]
    fn policies_are_those_of_the_api_server() {
        let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let always = [
            "nginx",
            "nginx:latest",
            "quay.io/a/b",
            "quay.io:5000/a/b:latest",
            "localhost/a",
            "a__b/c-d--e",
            "UPPER/lower",
            "[fd00::1]:5000/a",
            &format!("quay.io/a/b:latest@{digest}"),
        ];
        let if_not_present = [
            "nginx:1",
            "quay.io/a/b:v1.2",
            "quay.io/a/Upper",
            "Not A Valid Ref!!",
            " nginx",
            "nginx:",
            "",
            "a//b",
            "a:latest:latest",
            "quay.io/a/b:latest@sha256:12",
            "a_-b",
            &digest["sha256:".len()..],
            &format!("quay.io/a/b@{digest}"),
            &format!("nginx@{}", digest.to_uppercase()),
        ];
        for reference in always {
            assert_eq!(default_pull_policy(reference), "Always", "{reference:?}");
        }
        for reference in if_not_present {
            assert_eq!(default_pull_policy(reference), "IfNotPresent", "{reference:?}");
        }
    }
}
