//! Finds skills that pass CRD and webhook, and make the pod invalid or unable to start. What a finding does is left to
//! [`super::findings`] (its severity) and the plan.
//!
//! Source: operator-spec.md section 11 (Q12, Q21) and the API server's validation of pod templates, Kubernetes 1.37.2:
//! volume names are DNS labels of at most 63 characters, mount paths are unique by text in a container, an image
//! reference is required but never parsed, and relative paths and colons pass.

use std::collections::HashMap;

use crate::api::agent_runtime::Skill;
use crate::api::names::SKILL_VOLUME_PREFIX;

use crate::crd::pattern::dns_label;
use crate::go::quote::go_quote;

use super::findings::{Finding, rules, skill_path};

/// Longest volume name, in characters.
const VOLUME_NAME_MAX: usize = 63;

/// A mount that a container has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mount<'m> {
    /// Name of its volume.
    pub volume: &'m str,
    /// Path in the container.
    pub path: &'m str,
}

/// What is wrong with a skill by itself; `index` is its place in `spec.skills`.
pub fn check_skill(index: usize, skill: &Skill) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |field, rule, message: String| {
        findings.push(Finding::new(rule, skill_path(index, field), message));
    };
    let volume = [SKILL_VOLUME_PREFIX, &skill.name].concat();
    let length = volume.chars().count();
    if length > VOLUME_NAME_MAX {
        report(
            "name",
            &rules::VOLUME_NAME_LENGTH,
            format!(
                "the volume of skill {} would be called {volume}, {length} characters, and the API server takes {VOLUME_NAME_MAX}; \
                 shorten the name to {} characters",
                skill.name,
                VOLUME_NAME_MAX - SKILL_VOLUME_PREFIX.len()
            ),
        );
    }
    if !dns_label(&volume) {
        report(
            "name",
            &rules::VOLUME_NAME,
            format!(
                "the volume of skill {} would be called {}, which is no volume name; use lower-case letters, \
                 digits and dashes, and end with a letter or digit",
                go_quote(&skill.name),
                go_quote(&volume)
            ),
        );
    }
    if skill.image.is_empty() {
        report(
            "image",
            &rules::IMAGE_EMPTY,
            format!("the image of skill {} is empty; name an OCI image", skill.name),
        );
    } else if skill.image.contains(char::is_whitespace) {
        report(
            "image",
            &rules::IMAGE_BLANK,
            format!(
                "the image {} of skill {} contains white space and cannot be pulled; remove it",
                go_quote(&skill.image),
                skill.name
            ),
        );
    }
    let path = &skill.mount_path;
    if path.is_empty() {
        report(
            "mountPath",
            &rules::MOUNT_PATH_EMPTY,
            format!("the mountPath of skill {} is empty; give an absolute path", skill.name),
        );
    } else if !path.starts_with('/') {
        report(
            "mountPath",
            &rules::MOUNT_PATH_RELATIVE,
            format!(
                "the mountPath {} of skill {} is relative, and runtimes differ in what that means; begin it with /",
                go_quote(path),
                skill.name
            ),
        );
    }
    if path.contains(':') {
        report(
            "mountPath",
            &rules::MOUNT_PATH_COLON,
            format!(
                "the mountPath {} of skill {} contains a colon, which Kubernetes does not allow there; remove it",
                go_quote(path),
                skill.name
            ),
        );
    }
    findings
}

/// Which skill would be mounted where the container has another mount already, or an earlier skill is mounted; with
/// the index of the skill.
///
/// `others` are the mounts that stay, so not those of skill volumes that are rebuilt. Paths are compared as text, as
/// the API server does: `/a` and `/a/` are two paths for it.
pub fn check_mounts(container: &str, others: &[Mount<'_>], skills: &[Skill]) -> Vec<(usize, Finding)> {
    // Who has a path: the word for it and its name.
    let mut taken: HashMap<&str, (&str, &str)> = HashMap::with_capacity(others.len() + skills.len());
    for mount in others {
        taken.entry(mount.path).or_insert(("volume", mount.volume));
    }
    let mut findings = Vec::new();
    for (index, skill) in skills.iter().enumerate() {
        match taken.get(skill.mount_path.as_str()) {
            None => {
                taken.insert(&skill.mount_path, ("skill", &skill.name));
            }
            Some((what, owner)) => findings.push((
                index,
                Finding::new(&rules::MOUNT_PATH_TAKEN, skill_path(index, "mountPath"), format!(
                        "skill {} and {what} {owner} are both mounted at {} in container {container}, and the API server \
                         takes a path once; give the skill another mountPath",
                        skill.name,
                        go_quote(&skill.mount_path)),
                ),
            )),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::findings::Rule;

    fn skill(name: &str, image: &str, path: &str) -> Skill {
        Skill {
            name: name.to_owned(),
            image: image.to_owned(),
            mount_path: path.to_owned(),
            ..Skill::default()
        }
    }

    fn broken(skill: &Skill) -> Vec<&'static Rule> {
        check_skill(0, skill).into_iter().map(|finding| finding.rule).collect()
    }

    /// 57 characters are the most that fit; at 58 the CRD still says yes and the workload update fails for good.
    #[test]
    fn a_name_of_58_characters_is_refused_as_a_volume() {
        assert!(broken(&skill(&"a".repeat(57), "i", "/p")).is_empty());
        let findings = check_skill(3, &skill(&"a".repeat(58), "i", "/p"));
        assert_eq!(
            findings,
            [Finding::new(
                &rules::VOLUME_NAME_LENGTH,
                skill_path(3, "name"),
                format!(
                    "the volume of skill {0} would be called skill-{0}, 64 characters, and the API server takes 63; \
                     shorten the name to 57 characters",
                    "a".repeat(58)
                )
            )]
        );
    }

    #[test]
    fn what_the_crd_would_refuse_is_told_without_a_crd() {
        assert_eq!(broken(&skill("A_b", "i", "/p")), [&rules::VOLUME_NAME]);
        assert_eq!(
            broken(&skill("a\nb", "", "")),
            [&rules::VOLUME_NAME, &rules::IMAGE_EMPTY, &rules::MOUNT_PATH_EMPTY]
        );
        assert_eq!(
            broken(&skill("a", " ", "x:y")),
            [&rules::IMAGE_BLANK, &rules::MOUNT_PATH_RELATIVE, &rules::MOUNT_PATH_COLON]
        );
    }

    /// The API server compares as text; a finding for `/data/` would refuse what works.
    #[test]
    fn a_path_is_taken_once_by_mount_or_skill() {
        let others = [Mount { volume: "data", path: "/data" }, Mount { volume: "tmp", path: "/tmp" }];
        let skills = [
            skill("a", "i", "/data"),
            skill("b", "i", "/data/"),
            skill("c", "i", "/s"),
            skill("d", "i", "/s"),
        ];
        let messages: Vec<(usize, String)> = check_mounts("agent", &others, &skills)
            .into_iter()
            .map(|(index, finding)| (index, finding.message))
            .collect();
        assert_eq!(
            messages,
            [
                (
                    0,
                    "skill a and volume data are both mounted at \"/data\" in container agent, and the API server \
                     takes a path once; give the skill another mountPath"
                        .to_owned()
                ),
                (
                    3,
                    "skill d and skill c are both mounted at \"/s\" in container agent, and the API server takes a \
                     path once; give the skill another mountPath"
                        .to_owned()
                ),
            ]
        );
    }
}
