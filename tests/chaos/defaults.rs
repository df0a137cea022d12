//! Defaults and gates that change meanwhile: of single namespaces often, of the whole cluster now and then.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::User;
use crate::inputs::{NAMESPACES, SYSTEM};
use crate::objects::{gates_on, path_of};
use crate::seed::Seed;

const CHANGES: u32 = 36;

#[derive(Debug, Clone)]
pub enum Change {
    /// ConfigMaps written, one right after the other.
    Put(Vec<Value>),
    Drop(Value),
}

#[derive(Debug, Clone)]
pub struct Due {
    pub at: Duration,
    pub change: Change,
    /// Watches of these lag meanwhile, so that the second of two changes is seen first; empty for none.
    pub lags: &'static str,
}

/// Everything that is there from the start.
pub fn first() -> Vec<Value> {
    let mut maps = vec![gates(true), platform(0)];
    for number in 0..NAMESPACES {
        let namespace = format!("team{number}");
        maps.extend([defaults(&namespace, "defaults", 0), authbridge(&namespace, 0)]);
    }
    maps
}

pub fn plan(seed: u64, length: Duration) -> Vec<Due> {
    let mut seed = Seed::new(seed, "defaults");
    let step = length / CHANGES;
    let plan = (0..CHANGES).map(|index| {
        let number = u64::from(index) + 1;
        let namespace = format!("team{}", seed.below(NAMESPACES as u64));
        let at = step * index + seed.between(Duration::ZERO, step / 2);
        let kind = seed.below(5);
        let change = match index {
            9 | 21 => Change::Put(vec![gates(false)]),
            10 | 22 => Change::Put(vec![gates(true)]),
            5 | 16 | 28 => Change::Put(vec![platform(number)]),
            _ => match kind {
                0 => Change::Put(vec![defaults(&namespace, "defaults", number)]),
                1 => Change::Put(vec![authbridge(&namespace, number)]),
                // Of two with defaults the first by name counts.
                2 => Change::Put(vec![defaults(&namespace, "a-defaults", number)]),
                3 => Change::Drop(defaults(&namespace, "a-defaults", number)),
                _ => Change::Put(vec![
                    authbridge(&namespace, number),
                    defaults(&namespace, "defaults", number),
                ]),
            },
        };
        let lags = if matches!(&change, Change::Put(maps) if maps.len() > 1) { "authbridge" } else { "" };
        Due { at, change, lags }
    });
    plan.collect()
}

impl Change {
    pub fn make(&self, user: &mut User) {
        let path =
            |map: &Value| format!("{}/{}", path_of(map), map["metadata"]["name"].as_str().expect("a name"));
        match self {
            Self::Put(maps) => {
                for map in maps {
                    user.apply(&path(map), "platform", map);
                }
            }
            Self::Drop(map) => user.delete(&path(map)),
        }
    }
}

fn gates(open: bool) -> Value {
    let mut map = gates_on();
    map["data"]["feature-gates.yaml"] = format!("globalEnabled: true\nskillImageVolumes: {open}\n").into();
    map
}

fn platform(number: u64) -> Value {
    let mut map = gates_on();
    map["metadata"]["name"] = "kagenti-platform-config".into();
    map["data"] = json!({"LEVEL": number.to_string(), "SYSTEM": SYSTEM});
    map
}

pub fn defaults(namespace: &str, name: &str, number: u64) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"kagenti.io/defaults": "true"}},
        "data": {"LOG": format!("{name}-{number}")}})
}

pub fn authbridge(namespace: &str, number: u64) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "authbridge-runtime-config", "namespace": namespace},
        "data": {"config.yaml": format!("mode: proxy-sidecar\nlevel: {number}\n")}})
}
