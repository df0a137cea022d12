//! The report for machines: as JSON, and as a CycloneDX 1.6 bill of materials in which skills are components and agents depend on
//! them.

use kubectl_skills::api::image_reference;
use kubectl_skills::skill::lock::Entry;
use kubectl_skills::skill::oci::Digest;
use kubectl_skills::skill::policy::judge::shown;
use serde_json::{Map, Value, json};

use super::inventory::{Agent, Inventory, Skill};
use crate::printable::percent_encoded;

/// As JSON.
pub fn json(inventory: &Inventory) -> Value {
    let Inventory { agents, skills, findings, changes, compared, policy } = inventory;
    let image = |index: usize| skills.get(index).map(|skill| skill.image.as_str());
    let of_agent = |agent: &Agent| {
        let uses: Vec<Value> = agent
            .uses
            .iter()
            .map(|one| json!({"name": one.name, "image": image(one.skill), "mountPath": one.path}))
            .collect();
        json!({
            "apiVersion": agent.id.api_version, "kind": agent.id.kind, "namespace": agent.id.namespace, "name": agent.id.name,
            "workload": agent.workload, "skillBindings": agent.added, "skills": uses,
            "skillSet": agent.set.as_ref().map(Digest::as_str),
        })
    };
    let of_skill = |skill: &Skill| {
        let users: Vec<Value> =
            skill.agents.iter().filter_map(|agent| agents.get(*agent)).map(identity).collect();
        let known = skill.entry.as_ref().map(kubectl_skills::skill::lock::value);
        json!({"image": skill.image, "lock": known, "agents": users})
    };
    let of_finding = |one: &super::inventory::Found| {
        json!({
            "rule": if one.rule.is_empty() { "error" } else { one.rule },
            "agent": one.agent.and_then(|agent| agents.get(agent)).map(identity),
            "image": one.skill.and_then(image), "message": one.message, "help": one.help,
        })
    };
    let of_change = |one: &super::changes::Change| {
        let facts: Vec<Value> = one
            .facts
            .iter()
            .map(|(name, before, after)| json!({"fact": name, "before": before, "after": after}))
            .collect();
        let mut out =
            json!({"image": one.image, "change": one.kind.text(), "widerTools": one.wider, "facts": facts});
        match &one.files {
            Some(Ok(change)) => out["files"] = serde_json::to_value(change).unwrap_or_default(),
            Some(Err(why)) => out["files"] = json!({"verdict": "unknown", "reason": why}),
            None => {}
        }
        out
    };
    let mut out = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillReport", "policy": policy,
        "agents": agents.iter().map(of_agent).collect::<Vec<_>>(),
        "skills": skills.iter().map(of_skill).collect::<Vec<_>>(),
        "findings": findings.iter().map(of_finding).collect::<Vec<_>>(),
    });
    if *compared {
        out["changes"] = changes.iter().map(of_change).collect();
    }
    out
}

fn identity(agent: &Agent) -> Value {
    json!({"kind": agent.id.kind, "namespace": agent.id.namespace, "name": agent.id.name})
}

/// As CycloneDX 1.6.
pub fn cyclonedx(inventory: &Inventory) -> Value {
    let Inventory { agents, skills, .. } = inventory;
    let of_agent = |(index, agent): (usize, &Agent)| {
        let mut properties = vec![
            property("kagenti:kind", &agent.id.kind),
            property("kagenti:namespace", &agent.id.namespace),
            property("kagenti:workload", &agent.workload),
        ];
        properties.extend(agent.set.as_ref().map(|set| property("kagenti:skill-set", set.as_str())));
        json!({
            "type": "application", "bom-ref": format!("agent-{index}"), "group": agent.id.namespace, "name": agent.id.name,
            "properties": properties,
        })
    };
    let mut components: Vec<Value> =
        skills.iter().enumerate().map(|(index, skill)| component(index, skill)).collect();
    components.extend(agents.iter().enumerate().map(of_agent));
    let depends = |(index, agent): (usize, &Agent)| {
        let mut on: Vec<String> = agent.uses.iter().map(|one| format!("skill-{}", one.skill)).collect();
        on.sort_unstable();
        on.dedup();
        json!({"ref": format!("agent-{index}"), "dependsOn": on})
    };
    let dependencies: Vec<Value> = agents.iter().enumerate().map(depends).collect();
    let body = json!([components, dependencies]);
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial(&body.to_string()),
        "version": 1,
        "metadata": {"tools": {"components": [
            {"type": "application", "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")},
        ]}},
        "components": body[0],
        "dependencies": body[1],
    })
}

/// A number that depends on the content alone: the same input gives the same bytes.
fn serial(body: &str) -> String {
    let digest = Digest::of(body.as_bytes());
    let hex = digest.as_str().trim_start_matches("sha256:");
    // Version 8 is for own ways of making one (RFC 9562); the variant is 10 in bits.
    format!("urn:uuid:{}-{}-8{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

fn component(index: usize, skill: &Skill) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("type", json!("container"));
    put("bom-ref", json!(format!("skill-{index}")));
    put("name", json!(skill.name()));
    put("version", json!(skill.version()));
    let mut properties = vec![property("kagenti:image", &skill.image)];
    if let Some(entry) = &skill.entry {
        let facts = &entry.facts;
        if let Some(text) = &facts.description {
            put("description", json!(text));
        }
        put(
            "hashes",
            json!([{"alg": "SHA-256", "content": entry.digest.as_str().trim_start_matches("sha256:")}]),
        );
        if let Some(text) = &facts.license {
            put("licenses", licenses(text));
        }
        properties.extend(entry.content.as_ref().map(|one| property("kagenti:skill:content", one.as_str())));
        properties.extend(
            facts.allowed_tools.iter().flatten().map(|tool| property("kagenti:skill:allowed-tool", tool)),
        );
        let numbers = [("files", facts.files), ("bytes", facts.bytes), ("tokens", facts.tokens)];
        properties.extend(numbers.iter().filter_map(|(name, value)| {
            Some(property(&format!("kagenti:skill:{name}"), &(*value)?.to_string()))
        }));
        properties.extend(
            entry.signed.iter().flatten().map(|one| property("kagenti:skill:signed-by", &shown(&one.signer))),
        );
        if let Some(decision) = &entry.unsigned {
            properties.push(property("kagenti:skill:unsigned-by-decision-of", &decision.by));
        }
    }
    if let Some(purl) = purl(&skill.image, skill.entry.as_ref()) {
        put("purl", json!(purl));
    }
    put("properties", Value::Array(properties));
    Value::Object(out)
}

fn licenses(text: &str) -> Value {
    match spdx_kind(text) {
        Some(true) => json!([{"license": {"id": text}}]),
        Some(false) => json!([{"expression": text}]),
        None => json!([{"license": {"name": text}}]),
    }
}

/// Whether a licence is a single identifier of SPDX; none for what is no expression.
fn spdx_kind(text: &str) -> Option<bool> {
    kubectl_skills::skill::policy::license_kind(text)
}

/// `pkg:oci/NAME@DIGEST?repository_url=HOST/REPOSITORY&tag=TAG`; none without a digest, which names the version there.
fn purl(image: &str, entry: Option<&Entry>) -> Option<String> {
    let parts = image_reference::parts(image)?;
    let (registry, repository) = parts.location();
    let digest = parts.digest.or(entry.map(|entry| entry.digest.as_str()))?;
    let name = repository.rsplit('/').next()?;
    let tag = parts.tag.map_or(String::new(), |tag| format!("&tag={}", encoded(tag)));
    Some(format!(
        "pkg:oci/{}@{}?repository_url={}{tag}",
        encoded(name),
        encoded(digest),
        encoded(&format!("{registry}/{repository}"))
    ))
}

/// As package URLs have it; a slash of a repository stays.
fn encoded(text: &str) -> String {
    percent_encoded(text, "/")
}
