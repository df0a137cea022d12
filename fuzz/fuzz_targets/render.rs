//! Renders any text as a file, with the profile that its first byte names: it is rendered or refused with a place, never a
//! defect found by our own check; a second render changes no byte, and what is printed can be read again. A render looks
//! only at what its plans touch; the long way, whole objects in whole documents, comes to the same bytes.
#![no_main]

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::profile::PROFILES;
use kubectl_skills::manifest::render::{Settings, edit, plan_all, render};
use kubectl_skills::manifest::stream::{Source, Stream};
use libfuzzer_sys::fuzz_target;

fn run(text: &str, settings: &Settings) -> Result<String, Vec<InputError>> {
    let sources = [Source { name: "-".into(), text: text.into() }];
    let stream = Stream::read(&sources, "default")?;
    let rendered = render(&stream, settings);
    match (&rendered, &edit(&stream, &plan_all(&stream, settings))) {
        (Ok(short), Ok(long)) => assert_eq!(short.edited, *long),
        (Err(short), Err(long)) => assert_eq!(short, long),
        (short, long) => panic!("{short:?}\n{long:?}"),
    }
    let rendered = rendered?;
    Ok(rendered.edited.chunks(0, text).collect())
}

fuzz_target!(|input: &str| {
    let Some(first) = input.chars().next() else { return };
    let text = &input[first.len_utf8()..];
    let choice = u32::from(first) as usize;
    let mut settings = Settings::new(&PROFILES[choice % PROFILES.len()]);
    settings.options.skill_folders = [None, Some(true), Some(false)][choice / 16 % 3];
    settings.options.remove = choice / 64 % 4 == 3;
    match run(text, &settings) {
        Ok(once) => {
            let twice = run(&once, &settings).unwrap_or_else(|errors| panic!("{errors:?}\n{once}"));
            assert_eq!(twice, once, "a second render changes it");
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in &errors {
                assert!(!error.help.contains("defect"), "{error}: {text:?}");
            }
        }
    }
});
