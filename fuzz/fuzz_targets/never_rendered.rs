//! Renders manifests that were never rendered and look as if they had been, in all styles and profiles: nothing of the input
//! is lost, and `--remove` gives it back. The bytes decide what their author wrote, as in the property
//! `never_rendered_loses_nothing`, which shares the check.
#![no_main]

use kubectl_skills::manifest::render::generated::never_rendered;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(message) = never_rendered(bytes) {
        panic!("{message}");
    }
});
