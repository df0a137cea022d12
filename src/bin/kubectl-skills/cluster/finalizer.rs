//! Takes our finalizer off an AgentRuntime or a SkillBinding, for clusters without a controller that would: with it, neither
//! the object nor its namespace can be deleted. Whether its workload holds anything of ours still is left to the caller.

use http::Method;
use kubectl_skills::api::names::BINDING_FINALIZER;
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::skill_binding::is_binding;
use serde_json::{Value, json};

use super::carry_out::ROUNDS;
use super::error::{ClusterError, Failure};
use super::paths::of_list;
use super::requests::Requests;

/// Takes it off; false where it is not there, or the object is gone.
pub async fn release(requests: &Requests, profile: &Profile, runtime: &Value) -> Result<bool, ClusterError> {
    let (namespace, name) = Object(runtime).key();
    let bound = is_binding(Object(runtime));
    let finalizer = if bound { BINDING_FINALIZER } else { profile.names.finalizer };
    let (path, plural) = of_list(profile, bound, &namespace, &name);
    let what = format!("take the finalizer off {plural} {namespace}/{name}");
    let mut read = runtime.clone();
    let mut round = 1;
    loop {
        let Some(at) = Object(&read).finalizers().position(|found| found == finalizer) else {
            return Ok(false);
        };
        let pointer = format!("/metadata/finalizers/{at}");
        let patch = json!([
            {"op": "test", "path": pointer, "value": finalizer},
            {"op": "remove", "path": pointer},
        ]);
        match requests.write(Method::PATCH, &path, "application/json-patch+json", &patch, &what).await {
            Ok(_) => return Ok(true),
            Err(error) if error.failure == Failure::NotFound => return Ok(false),
            // Somebody else's finalizer went first, and ours is at another place now.
            Err(error) if matches!(error.failure, Failure::Invalid | Failure::Conflict) && round < ROUNDS => {
                round += 1;
                let Some(again) = requests.get(&path, &what).await? else { return Ok(false) };
                read = again;
            }
            Err(error) => return Err(error),
        }
    }
}
