//! Whether a node can mount skill images: what a Node says of its container runtime and kubelet in, a verdict out, the same for
//! Nodes in files and for those of a cluster that `doctor` asks.

use serde_json::Value;

use super::others::Other;
use super::own::NODE_RUNTIME;
use super::rule::Level;
use super::{Finding, keys};
use crate::api::image_volume::{self, KnownBad, Runtime, Stage};
use crate::api::object::Object;

/// How much it matters what a node runs, and what that does and what to do; no level where skills work. `server`: the stage of
/// the API server, where it is known.
pub fn judge(runtime: &str, kubelet: &str, server: Option<Stage>) -> (Option<Level>, String) {
    let stage = image_volume::version(kubelet).map(|(_, minor)| Stage::of(minor));
    let (level, said) = match (image_volume::runtime(runtime), stage) {
        (Runtime::Bad(bad), _) => {
            let KnownBad { only, does, mend, source, .. } = bad;
            let which = if only.is_empty() { String::new() } else { format!(" {only}") };
            let level = if only.is_empty() { Level::Error } else { Level::Warning };
            return (Some(level), format!("this release{which} {does} ({source}): {mend}"));
        }
        (Runtime::Unable, _) => (
            Some(Level::Error),
            "pods with skills will not start there: image volumes need containerd 2.1 or CRI-O 1.31; update it or keep agents \
             off by a node selector",
        ),
        (_, Some(Stage::Absent)) => {
            (Some(Level::Error), "the kubelet is older than 1.31 and knows no image volumes: update it")
        }
        (_, Some(stage)) if !stage.on_by_default() && server.is_some_and(Stage::on_by_default) => (
            Some(Level::Warning),
            "this kubelet has image volumes off by default: update it, or start it with --feature-gates=ImageVolume=true",
        ),
        (Runtime::NoSubPath, _) => {
            (None, "subPath on an image volume mounts the whole image there; skills do not use it")
        }
        (Runtime::Unknown, _) => {
            (Some(Level::Note), "this runtime is not known to us: try a pod with an image volume")
        }
        (Runtime::Full, _) => (None, ""),
    };
    (level, said.to_owned())
}

/// Container runtime and kubelet of a Node.
pub fn versions(node: &Value) -> (&str, &str) {
    let text = |pointer| Object(node).str(pointer);
    (text("/status/nodeInfo/containerRuntimeVersion"), text("/status/nodeInfo/kubeletVersion"))
}

pub(super) fn check(node: &Other<'_>, out: &mut Vec<Finding>) {
    let (runtime, kubelet) = versions(node.value);
    let (Some(level), said) = judge(runtime, kubelet, Some(Stage::Stable)) else { return };
    let at = keys(&["status", "nodeInfo", "containerRuntimeVersion"]);
    let message = format!("{runtime}, kubelet {kubelet}: {said}");
    out.push(Finding { level, ..node.finding(&NODE_RUNTIME, &at, message, "") });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_judged_by_runtime_and_kubelet() {
        let judged = |runtime, kubelet, minor| judge(runtime, kubelet, Some(Stage::of(minor))).0;
        assert_eq!(judged("containerd://1.7.2", "v1.37.0", 37), Some(Level::Error));
        assert_eq!(judged("containerd://2.1.0", "v1.37.0", 37), None);
        assert_eq!(judged("containerd://2.2.0", "v1.34.1", 37), Some(Level::Warning));
        assert_eq!(judged("cri-o://1.33.1", "v1.30.1", 37), Some(Level::Error));
        assert_eq!(judged("mystery://1.0", "v1.37.0", 37), Some(Level::Note));
        assert_eq!(judged("containerd://2.2.3-k3s1", "v1.36.1+k3s1", 36), Some(Level::Error));
        let (level, mend) = judge("containerd://2.3.1", "v1.37.0", Some(Stage::of(37)));
        assert_eq!(level, Some(Level::Warning));
        assert_eq!(
            mend,
            "this release with the snapshotter erofs cannot mount image volumes: pods with skills do not start \
             (containerd/containerd#13534): update containerd, or use the snapshotter overlayfs"
        );
    }
}
