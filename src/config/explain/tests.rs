//! Rows of `hash --explain`, and inputs that the tests of `against` share.

use super::*;
use crate::api::agent_runtime::Trace;
use crate::config::layers::{ConfigView, resolve};

pub(super) fn profile(name: &str) -> &'static Profile {
    Profile::by_name(name).unwrap()
}

pub(super) fn config_map(
    namespace: &str,
    name: &str,
    labels: &[(&str, &str)],
    data: &[(&str, &str)],
) -> ConfigMap {
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    ConfigMap {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        labels: owned(labels),
        data: owned(data),
        origin: Origin { file: "all.yaml".to_owned(), document: 1, line: 7 },
    }
}

pub(super) fn spec() -> AgentRuntimeSpec {
    let skill = |name: &str, policy: &str| Skill {
        name: name.to_owned(),
        image: format!("r/{name}:1"),
        mount_path: format!("/skills/{name}"),
        pull_policy: policy.to_owned(),
        ..Skill::default()
    };
    AgentRuntimeSpec {
        agent_type: "agent".to_owned(),
        auth_bridge_mode: "lite".to_owned(),
        skills: vec![skill("pdf", "Always"), skill("web", "")],
        ..AgentRuntimeSpec::default()
    }
}

/// One line per row: `+` went into the hash, `-` did not.
fn lines(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            let sign = if row.hashed { '+' } else { '-' };
            format!("{sign} {} = {:?} from {}: {}", row.field, row.value, row.source, row.note)
        })
        .collect()
}

/// Someone whose hash differs reads here which value came from where, and which did not count and why.
#[test]
fn every_input_is_reported_with_its_source() {
    let maps = [
        config_map("kagenti-system", "kagenti-platform-config", &[], &[("log", "debug"), ("zone", "x")]),
        config_map("kagenti-system", "kagenti-feature-gates", &[], &[]),
        config_map("team", "a", &[("kagenti.io/defaults", "true")], &[("log", ""), ("own", "1")]),
        config_map("team", "b", &[("kagenti.io/defaults", "true")], &[("log", "warn")]),
        config_map("team", "authbridge-runtime-config", &[], &[("config.yaml", "m: l"), ("other", "1")]),
    ];
    let profile = profile("pr332-merged");
    let config = resolve(profile, &maps, "team", ConfigView::Full);
    assert_eq!(
        lines(&explain(profile, Some(&spec()), &config)),
        [
            r#"+ type = "agent" from AgentRuntime spec.type: "#,
            r#"- trustDomain = "" from AgentRuntime spec.identity.spiffe.trustDomain: not set"#,
            r#"- trace = "" from AgentRuntime spec.trace: not set"#,
            r#"- featureGates = "" from ConfigMap kagenti-system/kagenti-feature-gates (all.yaml:7): its data is empty"#,
            r#"+ defaults.log = "" from ConfigMap team/a key log (all.yaml:7): overrides the cluster's with nothing"#,
            r#"- defaults.log = "debug" from ConfigMap kagenti-system/kagenti-platform-config key log (all.yaml:7): overridden by ConfigMap team/a"#,
            r#"+ defaults.own = "1" from ConfigMap team/a key own (all.yaml:7): "#,
            r#"+ defaults.zone = "x" from ConfigMap kagenti-system/kagenti-platform-config key zone (all.yaml:7): "#,
            r#"- defaults.log = "warn" from ConfigMap team/b key log (all.yaml:7): another ConfigMap with the defaults label comes first by name: a"#,
            r#"+ authBridgeMode = "lite" from AgentRuntime spec.authBridgeMode: "#,
            r#"- mtlsMode = "" from AgentRuntime spec.mtlsMode: not set"#,
            r#"+ authBridgeRuntime = "m: l" from ConfigMap team/authbridge-runtime-config key config.yaml (all.yaml:7): "#,
            r#"- authBridgeRuntime = "" from ConfigMap team/authbridge-runtime-config key other (all.yaml:7): another key; of this ConfigMap config.yaml alone is hashed here"#,
            r#"+ skills[0] = "pdf r/pdf:1 /skills/pdf Always" from AgentRuntime spec.skills[0]: "#,
            r#"+ skills[1] = "web r/web:1 /skills/web" from AgentRuntime spec.skills[1]: "#,
        ]
    );
}

/// What the operator's cache hides is shown with the label that would make it count.
#[test]
fn hidden_config_maps_say_which_label_they_lack() {
    let maps = [
        config_map("kagenti-system", "kagenti-platform-config", &[], &[("log", "debug")]),
        config_map("team", "authbridge-runtime-config", &[], &[("config.yaml", "m: l")]),
    ];
    let profile = profile("two-layer");
    let config = resolve(profile, &maps, "team", ConfigView::Operator);
    let spec = AgentRuntimeSpec { trace: Some(Trace::default()), ..spec() };
    assert_eq!(
        lines(&explain(profile, Some(&spec), &config)),
        [
            r#"- featureGates = "" from none: no ConfigMap kagenti-system/kagenti-feature-gates"#,
            r#"- defaults.log = "debug" from ConfigMap kagenti-system/kagenti-platform-config key log (all.yaml:7): invisible to the operator's cache: it holds only those labelled app.kubernetes.io/name=kagenti-operator-chart there"#,
            r#"- authBridgeRuntime = "m: l" from ConfigMap team/authbridge-runtime-config key config.yaml (all.yaml:7): invisible to the operator's cache: it holds only those labelled kagenti.io/defaults=true there"#,
            r#"- type = "agent" from AgentRuntime spec.type: profile two-layer does not hash it"#,
            r#"- trace = "" from AgentRuntime spec.trace: profile two-layer does not hash it"#,
            r#"- authBridgeMode = "lite" from AgentRuntime spec.authBridgeMode: profile two-layer does not hash it"#,
            r#"- skills[0] = "pdf r/pdf:1 /skills/pdf Always" from AgentRuntime spec.skills[0]: profile two-layer does not hash it"#,
            r#"- skills[1] = "web r/web:1 /skills/web" from AgentRuntime spec.skills[1]: profile two-layer does not hash it"#,
        ]
    );
}

/// An empty trace changes the hash although nothing is in it; after a deletion only the configuration counts.
#[test]
fn an_empty_trace_and_defaults_only_are_reported() {
    let profile = profile("pr332");
    let config = resolve(profile, &[], "team", ConfigView::Full);
    let spec = AgentRuntimeSpec { trace: Some(Trace::default()), ..AgentRuntimeSpec::default() };
    let rows = lines(&explain(profile, Some(&spec), &config));
    assert_eq!(
        rows[..5],
        [
            r#"+ type = "" from AgentRuntime spec.type: not set; written as empty"#,
            r#"- trustDomain = "" from AgentRuntime spec.identity.spiffe.trustDomain: not set"#,
            r#"+ trace = "" from AgentRuntime spec.trace: an empty trace is written as {}"#,
            r#"- trace.endpoint = "" from AgentRuntime spec.trace.endpoint: empty or 0: not written"#,
            r#"- trace.protocol = "" from AgentRuntime spec.trace.protocol: empty or 0: not written"#,
        ]
    );
    let rows = lines(&explain(profile, None, &config));
    assert_eq!(
        rows[..2],
        [
            r#"+ type = "" from none: defaults only: written as empty"#,
            r#"- trustDomain = "" from none: defaults only: the spec is left out"#,
        ]
    );
}
