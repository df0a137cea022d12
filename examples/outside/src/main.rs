//! Renders standard input to standard output, as another project would: `make outside` runs it.

use std::io::{Error, Read, stdin};

use kubectl_skills::{InputError, Rendered, Settings, Source, Stream, choose_profile, render};

fn main() -> Result<(), Error> {
    let mut text = String::new();
    stdin().read_to_string(&mut text)?;
    let sources = [Source { name: "-".into(), text }];
    let stream = Stream::read(&sources, "default").map_err(|errors| failed(&errors))?;
    let (profile, _why) = choose_profile(&stream, "auto").map_err(Error::other)?;
    let Rendered { edited, .. } =
        render(&stream, &Settings::new(profile)).map_err(|errors| failed(&errors))?;
    edited.chunks(0, &sources[0].text).for_each(|piece| print!("{piece}"));
    Ok(())
}

fn failed(errors: &[InputError]) -> Error {
    Error::other(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
